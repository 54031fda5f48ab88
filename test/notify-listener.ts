import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** Sends a datagram to the unix socket that NOTIFY_SOCKET names: a script for perl. */
export const sendReady = `use Socket; socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die $!;
connect($s, pack_sockaddr_un($ENV{NOTIFY_SOCKET})) or die $!; defined send($s, "STATUS=x\\nREADY=1\\n", 0) or die $!;`

const listen = `use Socket; $| = 1; socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die $!;
bind($s, pack_sockaddr_un($ARGV[0])) or die $!; print "bound\\n";
while (defined recv($s, my $message, 4096, 0)) { print $message =~ s/\\n?$/\\n/r }`

export interface NotifyListener {
  /** The next datagram, without the end of its line. */
  readonly next: () => Promise<string>
  readonly close: () => void
}

/** Stands for the service manager at a unix socket for datagrams, which Node.js has none of. */
export async function listenForNotify(path: string): Promise<NotifyListener> {
  const child = spawn('perl', ['-e', listen, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => (await lines.next()).value ?? ''
  if ((await next()) !== 'bound') throw new Error('nobody listens')
  return { next, close: () => void child.kill('SIGKILL') }
}

export async function ended(child: ReturnType<typeof spawn>): Promise<number | null> {
  return child.exitCode ?? (await once(child, 'exit'))[0]
}
