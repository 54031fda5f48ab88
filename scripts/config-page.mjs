// The page docs/config.md, of the table of flags in src/bundle/changes.

/** @returns the page, in Markdown */
export function configPage(configFlags) {
  return `# config.json by flags

Generated from \`src/bundle/changes\` by \`npm run generate\`. Do not edit.

\`try\`, \`pull\`, \`unpack\` and \`spec\` take flags that change the config.json they write, and \`config\` takes them for a bundle
that is there. The names and the values are docker's and podman's. The words behind \`--\` are the command to run.

\`\`\`sh
bundle-tool unpack --no-tty alpine.tar --out alpine -e LANG=C.UTF-8 -- ls -l
bundle-tool config -b alpine -w /tmp --hostname box
bundle-tool config -b alpine --show
bundle-tool run -b alpine demo
\`\`\`

\`config\` changes the file in place: whole, or not at all where a flag makes no sense. Members that no flag is about stay, in
their order, also those that no specification knows. \`config --show\` prints how the file differs from the one that an image
without wishes gets, as flags, one on each line. What has no flag is said in config.json itself. A flag that is not listed here
is refused.

| flag | value | meaning |
| --- | --- | --- |
${configFlags.map(row).join('\n')}

${notes}`
}

function row({ name, flag }) {
  const { letter, placeholder, help, negation } = flag
  const names = [`--${name}`, ...(letter ? [`-${letter}`] : []), ...(negation ? [`--no-${name}`] : [])]
  const meaning = negation ? `${help}; \`--no-${name}\`: ${negation}` : help
  return `| ${names.map((one) => `\`${one}\``).join(', ')} | ${placeholder ? `\`${placeholder}\`` : ''} | ${cell(meaning)} |`
}

const cell = (text) => text.replaceAll('|', '\\|')

const notes = `## Values

- **The command.** An image has an entrypoint and a command. The words behind \`--\` take the place of the command alone;
  \`--entrypoint\` takes the place of both. config.json has one list, \`process.args\`: the annotation
  \`bundle-tool.entrypoint\` says which of its first words are the entrypoint.
- **Variables.** \`-e NAME\` takes the value from the caller's environment, and removes the variable where it has none there.
  In a file of variables a value is taken as it is, quotes and all; lines that begin with \`#\` are comments. \`-e\` wins over
  \`--env-file\`.
- **The user.** Names are looked up in the rootfs. Groups that \`/etc/group\` lists the user in come along unless a group is
  named, and \`HOME\` follows the user where nothing else has set it.
- **Mounts.** A source that begins with \`.\` is relative to the caller's directory, and what it names must be there. A name
  without a slash is a volume of an engine's, and is refused, as \`type=volume\` is. Options of \`-v\` are \`ro\`, \`rw\`, \`bind\`,
  \`rbind\` (the default), \`rprivate\` (the default) and the other propagations, \`noexec\`, \`nodev\`, \`nosuid\` and their
  opposites; \`z\` and \`Z\` do nothing where there is no SELinux, and are refused where there is. A mount takes the place of the
  one that is at its target. \`--tmpfs\` is \`noexec\`, \`nosuid\` and \`nodev\` unless it says \`exec\`, \`suid\` or \`dev\`.
- **The network.** [network.md](network.md) has all about these flags.
- **Devices.** In a user namespace the host's device is mounted, and its rights on the host hold.
- **Sizes** have \`k\`, \`m\`, \`g\` or \`t\` after them for KiB to TiB. \`-m\` alone allows as much swap as memory, as with docker and
  podman, where the kernel counts swap.
- **Rights.** \`--cap-drop\` comes before \`--cap-add\`, so that \`--cap-drop ALL --cap-add CHOWN\` leaves one. \`--privileged\` gives all
  capabilities and all devices, shows all of /proc and /sys, and takes seccomp, AppArmor and no-new-privileges away; in a
  user namespace it gives no devices.
- **seccomp** takes a file in the form of config.json, or in that of docker and podman: the rules for this machine and for the
  container's capabilities go into config.json. \`default\` is the profile that podman uses on this host: the
  \`seccomp_profile\` of containers.conf (of /usr/share/containers, /etc/containers and, for users, ~/.config/containers), else
  \`/etc/containers/seccomp.json\` or \`/usr/share/containers/seccomp.json\`; without these it is one of the tool's own, which denies
  what docker's denies (\`src/bundle/changes/own-seccomp-profile.ts\` has it with its reasons). It follows when \`config\` changes the
  capabilities. \`unconfined\`, which \`pull\`, \`unpack\` and \`spec\` start from, is no filter; \`try\` starts from
  \`default\`.
- **cgroups.** Below \`--cgroup-parent\` the container's cgroup is named after the bundle, so that two containers of one bundle
  do not run at the same time. A parent that ends in \`.slice\` is for \`--systemd-cgroup\`. A user's container has limits only
  where a cgroup has been delegated to that user.
- **Labels** are annotations, as for images. \`--stop-signal\` is what \`bundle-tool stop\` sends first.

## What images get, and spec does not

A config.json that \`pull\` or \`unpack\` makes has the rights that engines give, so that \`chown\`, \`su\`, \`apt-get\` and set-user-ID
programs work: docker's fourteen capabilities, no \`noNewPrivileges\`, and no limit of open files beside the one of whoever runs
the container. \`spec\` writes what \`runc spec\` writes: three capabilities, \`noNewPrivileges\`, 1024 open files, and a rootfs that
cannot be written to. For less than an image gets:

\`\`\`sh
bundle-tool config -b alpine --cap-drop ALL --security-opt no-new-privileges --ulimit nofile=1024
\`\`\`

A container of an ordinary user has these rights in a user namespace of its own, where they hold over what belongs to that user.
With one id alone there is nobody to \`su\` to: \`--subids\` gives more.

## From a program

\`pull\`, \`unpack\`, \`spec\`, \`config\` and \`tryImage\` have the option \`changes\`, of the type \`ConfigChanges\`: a member for each flag, named
as it is without dashes (\`envFile\` for \`--env-file\`), and \`args\` for the words behind \`--\`. Its values are the texts that
the command line takes, and true or false for flags without a value.

\`\`\`js
import { config, showConfig } from 'bundle-tool'

await config({ bundle: 'alpine', changes: { env: ['LANG=C.UTF-8'], workdir: '/tmp', args: ['ls', '-l'] } })
console.log(await showConfig({ bundle: 'alpine' }))
\`\`\`
`
