import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * Stands for CRIU where the kernel or its version keep the real one from working: takes a request, keeps it, and does
 * what is said of it in files. A restored container is one `sleep`.
 */
const script = `#!/usr/bin/perl
use strict; use POSIX ();
my $place = '@PLACE@';
if ($ARGV[0] eq '--version') { print "Version: 3.17.1\\n"; exit 0 }
if ($ARGV[0] eq 'check') { print STDERR "Warn (criu/x.c:1): $ARGV[2] is OFF\\n"; exit(-e "$place/lacks") }
die unless "@ARGV" eq 'swrk 3';
open(my $socket, '+<&=', 3) or die $!;
sub receive { defined recv($socket, my $message, 65536, 0) or die $!; return $message }
sub answer { defined send($socket, $_[0], 0) or die $! }
sub varint { my $v = shift; my $s = ''; while ($v > 127) { $s .= chr($v & 127 | 128); $v >>= 7 } return $s . chr($v) }
sub notify {
  my ($name, $pid) = @_;
  my $notify = "\\x0a" . chr(length $name) . $name . "\\x10" . varint($pid);
  answer("\\x08\\x06\\x10\\x01\\x2a" . chr(length $notify) . $notify);
  die unless receive() eq "\\x08\\x06\\x18\\x01";
}
sub keep { open(my $f, '>', "$place/$_[0]") or die $!; print $f $_[1]; close $f }
my $request = receive();
my $type = ord(substr($request, 1, 1));
keep('request', $request);
keep('descriptors', join '', map { readlink("/proc/self/fd/$_") . "\\n" } 0..2);
keep('cgroup', do { local (@ARGV, $/) = '/proc/self/cgroup'; <> });
if (-e "$place/dies") { kill 9, $$ }
if (-e "$place/fails") {
  my $log = $type == 2 ? 'restore.log' : 'dump.log';
  if (open(my $f, '>', '/proc/' . getppid() . "/fd/4/$log")) {
    print $f "(00.1) far away\\n" x 9, "(00.2) before\\n(00.3) Error (criu/x.c:1): no such luck\\n(00.4) after\\n";
    close $f;
  }
  answer("\\x08" . chr($type) . "\\x10\\x00\\x38\\x05\\x4a\\x0cno such luck");
  exit 1;
}
if ($type == 2) {
  my $pid = fork // die $!;
  if (!$pid) { POSIX::close($_) for 0..64; exec 'sleep', '1000' }
  notify('pre-restore', 0);
  notify('setup-namespaces', $pid);
  notify('post-restore', $pid);
}
answer("\\x08" . chr($type) . "\\x10\\x01");
`

export class FakeCriu {
  readonly #place: string

  /** @param directory where it and its files are */
  constructor(directory: string) {
    this.#place = directory
    mkdirSync(join(directory, 'bin'), { recursive: true })
    writeFileSync(this.path, script.replace('@PLACE@', directory), { mode: 0o755 })
  }

  get path(): string {
    return join(this.#place, 'bin/criu')
  }

  /** PATH with it in front. */
  get searchPath(): string {
    return [join(this.#place, 'bin'), process.env.PATH ?? ''].join(delimiter)
  }

  /** `fails` with a reason and a log; `dies` without a word; `lacks` every feature. */
  let(what: 'fails' | 'dies' | 'lacks'): void {
    writeFileSync(join(this.#place, what), '')
  }

  /** The fields of `opts` in the last request, by number: numbers, and bytes of texts and messages as latin1. */
  request(): { readonly type: number; readonly options: ReadonlyMap<number, readonly (number | string)[]> } {
    const fields = parseMessage(readFileSync(join(this.#place, 'request'), 'latin1'))
    const options = fields.get(2)?.[0]
    return { type: Number(fields.get(1)?.[0]), options: parseMessage(typeof options === 'string' ? options : '') }
  }

  /** /proc/self/cgroup when it was asked. */
  get cgroup(): string {
    return readFileSync(join(this.#place, 'cgroup'), 'utf8')
  }

  /** The targets of its descriptors 0 to 2. */
  get descriptors(): readonly string[] {
    return readFileSync(join(this.#place, 'descriptors'), 'utf8').trimEnd().split('\n')
  }

  get wasAsked(): boolean {
    return existsSync(join(this.#place, 'request'))
  }
}

/** Protocol buffers, read without a schema. @param text latin1 */
export function parseMessage(text: string): ReadonlyMap<number, readonly (number | string)[]> {
  const fields = new Map<number, (number | string)[]>()
  let at = 0
  const varint = (): number => {
    for (let value = 0, factor = 1; ; factor *= 128) {
      const byte = text.charCodeAt(at++)
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
  }
  while (at < text.length) {
    const key = varint()
    const value = varint()
    const isText = (key & 7) === 2
    fields.set(key >> 3, [...(fields.get(key >> 3) ?? []), isText ? text.slice(at, at + value) : value])
    if (isText) at += value
  }
  return fields
}
