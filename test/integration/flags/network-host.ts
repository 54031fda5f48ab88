import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'

/** The address of this host that containers can reach, and the one that every name has. */
export const hostAddress = '192.0.2.1'
/** A name server is at a loopback address of the host, as systemd-resolved is. */
const nameServer = '127.0.0.53'
/** Ports of web servers that answer with a word: on `hostAddress`, and on 127.0.0.1. */
export const reachable: { readonly port: number; readonly says: string } = { port: 9000, says: 'from the host' }
export const secret: { readonly port: number; readonly says: string } = { port: 9001, says: 'a secret' }

/**
 * A host in namespaces of its own, without any real network: an interface with a default route, servers, a resolv.conf, and
 * /dev/net/tun as udev makes it. Nothing of it is outside of these namespaces.
 */
export class NetworkHost {
  readonly #directory = mkdtempSync(join(tmpdir(), 'network-host-'))
  #process: ChildProcess | undefined

  async start(): Promise<void> {
    const [directory, servers] = [this.#directory, join(this.#directory, 'servers.mjs')]
    chmodSync(directory, 0o755)
    writeFileSync(join(directory, 'resolv.conf'), `nameserver ${nameServer}\nsearch example.test\noptions ndots:1\n`)
    writeFileSync(servers, serversText)
    const script = `set -e
mount --make-rprivate /
mknod -m 666 ${directory}/tun c 10 200; mount --bind ${directory}/tun /dev/net/tun
mount --bind ${directory}/resolv.conf /etc/resolv.conf
ip link set lo up; ip link add up0 type veth peer name up1; ip link set up1 up; ip link set up0 up
ip addr add ${hostAddress}/24 dev up0; ip route add default via 192.0.2.254
exec ${process.execPath} ${servers}`
    const child = spawn('unshare', ['--net', '--mount', 'sh', '-c', script], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#process = child
    await Promise.race([
      once(child.stdout, 'data'),
      once(child, 'exit').then(() => Promise.reject(new Error('no host'))),
    ])
  }

  /** The words that run a command on this host. */
  readonly under = (): readonly string[] => [
    'nsenter',
    '-t',
    String(this.#process?.pid),
    '--net',
    '--mount',
    '--wd=.',
    '--',
  ]

  /** Runs a script on this host, as root. */
  run(script: string): string {
    const [command = '', ...words] = this.under()
    const { stdout, stderr } = spawnSync(command, [...words, 'sh', '-c', script], { encoding: 'utf8', timeout: 20_000 })
    return `${stdout}${stderr}`
  }

  async stop(): Promise<void> {
    const child = this.#process
    if (child !== undefined && child.exitCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    rmSync(this.#directory, { recursive: true })
  }
}

/** A host for all tests of a file. */
export function openNetworkHost(): NetworkHost {
  const host = new NetworkHost()
  beforeAll(() => host.start())
  afterAll(() => host.stop())
  return host
}

/** A name server for which every name is the host, and two web servers. It ends with the test. */
const serversText = `import { createSocket } from 'node:dgram'
import { createServer } from 'node:http'
process.stdin.resume().on('end', () => process.exit())
const names = createSocket('udp4')
names.on('message', (query, { port, address }) => {
  const end = query.indexOf(0, 12) + 5
  const isIPv4 = query.readUInt16BE(end - 4) === 1
  const head = Buffer.from([query[0], query[1], 0x81, 0x80, 0, 1, 0, isIPv4 ? 1 : 0, 0, 0, 0, 0])
  const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ${hostAddress.replaceAll('.', ',')}])
  names.send(Buffer.concat([head, query.subarray(12, end), ...(isIPv4 ? [answer] : [])]), port, address)
})
await new Promise((done) => names.bind(53, '${nameServer}', done))
const serve = (port, address, says) => new Promise((done) => createServer((_, answer) => answer.end(says)).listen(port, address, done))
await serve(${reachable.port}, '${hostAddress}', '${reachable.says}')
await serve(${secret.port}, '127.0.0.1', '${secret.says}')
console.log('ready')
`
