import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A network of a few programs of one test, with host names of its own. */
export interface TestNetwork {
  /** The command and arguments that run a command in the network, put before it. */
  readonly inside: readonly string[]
  /** Starts a server in the network, and waits until it listens at `port`; it ends with the network. */
  serve(command: readonly string[], port: number): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Makes a network namespace whose loopback device also has `address`, to which `names` resolve: a host elsewhere, for a
 * program that treats this host differently. Needs root.
 *
 * @param directory for the file of names
 */
export async function makeNetwork(directory: string, address: string, names: readonly string[]): Promise<TestNetwork> {
  const hosts = join(directory, 'hosts')
  writeFileSync(hosts, `127.0.0.1 localhost\n${address} ${names.join(' ')}\n`)
  const script = `busybox ip link set lo up && busybox ip addr add ${address}/32 dev lo &&
    mount --bind ${hosts} /etc/hosts && echo ready && exec sleep 1000`
  const holder = spawn('unshare', ['--net', '--mount', '/bin/sh', '-c', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [said] = await Promise.race([once(holder.stdout, 'data'), once(holder, 'exit')])
  if (String(said).trim() !== 'ready') throw new Error(`no network: ${said}`)
  const inside = ['nsenter', '--target', String(holder.pid), '--net', '--mount', '--']
  const servers: ReturnType<typeof spawn>[] = []

  async function end(process: ReturnType<typeof spawn>): Promise<void> {
    if (process.exitCode !== null || process.signalCode !== null) return
    process.kill('SIGKILL')
    await once(process, 'exit')
  }

  return {
    inside,
    async serve(command, port) {
      const [program = '', ...args] = [...inside, ...command]
      const server = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
      servers.push(server)
      let complaints = ''
      server.stderr?.on('data', (text) => (complaints += text))
      for (let attempt = 0; !isListening(holder.pid ?? 0, port); attempt++) {
        if (attempt === 400 || server.exitCode !== null) throw new Error(`${command.join(' ')}: ${complaints}`)
        await sleep(25)
      }
    },
    async [Symbol.asyncDispose]() {
      for (const process of [...servers, holder]) await end(process)
    },
  }
}

/** True when a socket listens at a port of the network that a process is in. @see man 5 proc_pid_net */
function isListening(pid: number, port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  return ['tcp', 'tcp6'].some((name) =>
    readFileSync(`/proc/${pid}/net/${name}`, 'utf8').match(
      new RegExp(`^ *\\d+: [0-9A-F]+:${hex} [0-9A-F]+:0000 0A `, 'm'),
    ),
  )
}
