/*
 * Builds a seccomp filter with libseccomp, by the calls that runc makes, and prints it.
 *
 * Reads lines from standard input:
 *   default ACTION            the default action, a number; the first line
 *   arch NAME                 a further architecture, by libseccomp's name
 *   name NAME                 a name that the profile has no rule for
 *   rule ACTION NAME [INDEX OPERATOR A B]...
 * Writes lines to standard output:
 *   unknown NAME              a name that libseccomp does not know (its rules are skipped)
 *   conflict NAME             libseccomp refuses a rule (runc fails); nothing follows
 *   number ARCH NAME NUMBER   what a name is on each architecture of the filter
 *   filter HEX                the filter, as struct sock_filter[]
 */
#include <errno.h>
#include <inttypes.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t archs[32];
static unsigned arch_count;

static void fail(const char *what, int rc)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-rc));
	exit(1);
}

static void add_arch(scmp_filter_ctx ctx, const char *name)
{
	const uint32_t token = seccomp_arch_resolve_name(name);
	const int rc = token ? seccomp_arch_add(ctx, token) : -EINVAL;

	if (rc < 0 && rc != -EEXIST)
		fail(name, rc);
	for (unsigned i = 0; i < arch_count; i++)
		if (archs[i] == token)
			return;
	archs[arch_count++] = token;
}

/* The number of a name on this machine; the numbers on all architectures are printed. */
static int resolve(const char *name)
{
	const int syscall = seccomp_syscall_resolve_name(name);

	if (syscall == __NR_SCMP_ERROR)
		printf("unknown %s\n", name);
	for (unsigned i = 0; i < arch_count && syscall != __NR_SCMP_ERROR; i++)
		printf("number %" PRIu32 " %s %d\n", archs[i], name,
		       seccomp_syscall_resolve_name_arch(archs[i], name));
	return syscall;
}

static int add_rule(scmp_filter_ctx ctx, char *line)
{
	struct scmp_arg_cmp args[6];
	unsigned count = 0;
	uint32_t action;
	char name[64];
	int used, syscall;

	if (sscanf(line, "%" SCNu32 " %63s%n", &action, name, &used) != 2)
		fail(line, -EINVAL);
	syscall = resolve(name);
	if (syscall == __NR_SCMP_ERROR)
		return 0;
	for (line += used; count < 6; count++, line += used) {
		unsigned op;

		if (sscanf(line, "%u %u %" SCNu64 " %" SCNu64 "%n", &args[count].arg, &op,
			   &args[count].datum_a, &args[count].datum_b, &used) != 4)
			break;
		args[count].op = (enum scmp_compare)op;
	}
	if (seccomp_rule_add_array(ctx, action, syscall, count, args) < 0) {
		printf("conflict %s\n", name);
		return -1;
	}
	return 0;
}

static void print_filter(scmp_filter_ctx ctx)
{
	FILE *file = tmpfile();
	int rc, byte;

	if (!file)
		fail("tmpfile", -errno);
	rc = seccomp_export_bpf(ctx, fileno(file));
	if (rc < 0)
		fail("seccomp_export_bpf", rc);
	rewind(file);
	printf("filter ");
	while ((byte = getc(file)) != EOF)
		printf("%02x", (unsigned)byte);
	printf("\n");
	fclose(file);
}

int main(void)
{
	scmp_filter_ctx ctx = NULL;
	unsigned rules = 0;
	char line[1024];

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "default ", 8)) {
			ctx = seccomp_init((uint32_t)strtoul(line + 8, NULL, 10));
			if (!ctx)
				fail(line, -EINVAL);
			archs[arch_count++] = seccomp_arch_native();
		} else if (!strncmp(line, "arch ", 5)) {
			add_arch(ctx, line + 5);
		} else if (!strncmp(line, "name ", 5)) {
			resolve(line + 5);
		} else if (!strncmp(line, "rule ", 5)) {
			/* runc asks for libseccomp's binary tree when a profile has more than 32 rules. */
			if (++rules == 33)
				seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
			if (add_rule(ctx, line + 5) < 0)
				return 0;
		} else {
			fail(line, -EINVAL);
		}
	}
	print_filter(ctx);
	seccomp_release(ctx);
	return 0;
}
