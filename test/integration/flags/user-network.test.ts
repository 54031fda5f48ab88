import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { requires } from '../../requirements.ts'
import { callers, type Flagged, openFlagged } from './flagged.ts'
import { hostAddress, openNetworkHost, reachable, secret } from './network-host.ts'

const { test } = requires(
  'root',
  'busybox',
  'ip',
  'unshare',
  'nsenter',
  'setpriv',
  'pasta',
  'slirp4netns',
  '/dev/net/tun',
)
const host = openNetworkHost()
const programs = ['pasta', 'slirp4netns'] as const
const rows = programs.flatMap((program) => callers.map(([name, uid]) => [program, name, uid] as const))

const fetch = (address: string, port: number): string =>
  `timeout 2 wget -qO- http://${address}:${port}/ 2>&1 || echo no`

describe.each(rows)('%s as %s', (program, _, uid) => {
  const flagged = openFlagged(uid, host.under)
  const base = ['spec', '-b', 'bundle', '--no-tty', '--no-read-only', ...(uid === 0 ? [] : ['--rootless'])]

  /** A container that runs, in which a web server is at port 80. */
  function serve(...flags: readonly string[]): Flagged {
    const opened = flagged()
    const { place, call } = opened
    const script = 'exec >/dev/null 2>&1; echo inside >/index.html; httpd -p 80 -h /; sleep 60'
    const made = call([...base, '--network', program, ...flags, '--', 'sh', '-c', script])
    expect(made).toEqual({ end: 0, stdout: '', stderr: '' })
    expect(call(['run', '-d', '-b', 'bundle', place.id])).toEqual({ end: 0, stdout: '', stderr: '' })
    return opened
  }

  const pidOfKeeper = ({ place }: Flagged): number =>
    Number(readFileSync(join(place.root, place.id, 'keeper'), 'utf8').split(' ')[0])
  const childrenOf = (pid: number): readonly string[] =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)
  const get = (port: number): string =>
    host
      .run(`for i in $(seq 40); do busybox wget -qO- http://127.0.0.1:${port}/ 2>/dev/null && exit; sleep 0.05; done`)
      .split('\n')
      .filter((line) => line !== '')
      .at(-1) ?? ''

  async function goes(pid: number | string): Promise<boolean> {
    const until = Date.now() + 5000
    while (existsSync(`/proc/${pid}`) && Date.now() < until) await new Promise((done) => setTimeout(done, 10))
    return !existsSync(`/proc/${pid}`)
  }

  test('names are found by the resolver of the host, and servers are reached, but for those on its loopback', () => {
    const flags = [
      '--network',
      program,
      '--hostname',
      'me',
      '--add-host',
      'other:192.0.2.7',
      '--add-host',
      'gw:host-gateway',
    ]
    const script = `cat /etc/resolv.conf /etc/hosts
nslookup -type=a any.example.test | grep -A1 any.example; ${fetch(hostAddress, reachable.port)}; echo
(${fetch('10.0.2.2', secret.port)}) | tail -1; (${fetch('127.0.0.1', secret.port)}) | tail -1; ip -o -4 addr show eth0 | grep -o 10.0.2.100`
    const seen = flagged().see(flags, `(${script}); true`)
    expect(seen.split('\n').map((line) => line.trim())).toEqual([
      'nameserver 10.0.2.3',
      'search example.test',
      'options ndots:1',
      '127.0.0.1\tlocalhost',
      '::1\tlocalhost ip6-localhost ip6-loopback',
      '10.0.2.100\tme',
      '192.0.2.7\tother',
      `${hostAddress}\tgw`,
      'Name:\tany.example.test',
      `Address: ${hostAddress}`,
      reachable.says,
      'no',
      'no',
      '10.0.2.100',
      '',
    ])
  })

  test('a published port answers, and is free again when the container has gone', () => {
    for (let i = 0; i < 3; i++) {
      const { place, call } = serve('-p', '127.0.0.1:8080:80', '-p', '8090-8091:90-91/udp')
      expect(get(8080)).toBe('inside')
      expect(host.run('cat /proc/net/udp /proc/net/udp6')).toMatch(/:1F9A [\s\S]*:1F9B /)
      expect(call(['delete', '--force', place.id])).toEqual({ end: 0, stdout: '', stderr: '' })
    }
    const { place, call } = flagged()
    for (let i = 0; i < 3; i++) {
      call([...base, '--network', program, '-p', '8080:80', '--', 'true'])
      expect(call(['run', '-b', 'bundle', place.id])).toEqual({ end: 0, stdout: '', stderr: '' })
    }
  })

  test('exec and pause work, a checkpoint is refused by the name of the field', () => {
    const { place, call } = serve('-p', '8080:80')
    expect(call(['exec', place.id, 'sh', '-c', fetch(hostAddress, reachable.port)]).stdout).toBe(reachable.says)
    expect(call(['checkpoint', place.id]).stderr).toMatch(
      new RegExp(`cannot checkpoint a container with the network .*${program}.*annotations/bundle-tool.network`),
    )
    if (uid === 0) {
      expect(call(['pause', place.id]).end).toBe(0)
      expect(call(['resume', place.id]).end).toBe(0)
    }
    expect(get(8080)).toBe('inside')
    call(['delete', '--force', place.id])
  })

  test('the program ends with the container, however that ends, and with its keeper', async () => {
    const first = serve()
    const [keeper, state] = [pidOfKeeper(first), JSON.parse(first.call(['state', first.place.id]).stdout)]
    const [helper = ''] = childrenOf(keeper)
    expect(readFileSync(`/proc/${helper}/comm`, 'utf8').trim()).toMatch(new RegExp(`^(${program}|passt)`))
    process.kill(state.pid, 'SIGKILL')
    expect(await goes(helper)).toBe(true)
    expect(await goes(keeper)).toBe(true)
    expect(first.call(['delete', first.place.id]).end).toBe(0)

    const second = serve()
    const [other] = [pidOfKeeper(second)]
    const [killed = ''] = childrenOf(other)
    process.kill(other, 'SIGKILL')
    expect(await goes(killed)).toBe(true)
    expect(second.call(['delete', '--force', second.place.id]).end).toBe(0)
  })

  test('delete ends a keeper that a crash has left', async () => {
    const opened = serve()
    const { place, call } = opened
    const keeper = pidOfKeeper(opened)
    const [helper = ''] = childrenOf(keeper)
    process.kill(keeper, 'SIGSTOP')
    call(['kill', place.id, 'KILL'])
    expect(await goes(JSON.parse(call(['state', place.id]).stdout).pid || 'none')).toBe(true)
    expect(existsSync(`/proc/${helper}`)).toBe(true)
    expect(call(['delete', '--force', place.id])).toEqual({ end: 0, stdout: '', stderr: '' })
    expect(existsSync(`/proc/${helper}`)).toBe(false)
    expect(existsSync(join(place.root, place.id))).toBe(false)
  })

  test('a port that is taken is an error that names it, and nothing is left', () => {
    const { place, call } = flagged()
    call([...base, '--network', program, '-p', `127.0.0.1:${secret.port}:80`, '--', 'true'])
    const { end, stderr } = call(['run', '-b', 'bundle', place.id])
    expect(end).toBe(1)
    expect(stderr).toMatch(new RegExp(`${program}.*${secret.port}`))
    expect(existsSync(join(place.root, place.id))).toBe(false)
  })

  test('what --show prints makes the same bundle, files and all, as the object of the library does', () => {
    const { place, call } = flagged()
    const flags = ['--network', program, '-p', '8080:80', '-p', '127.0.0.1:53:53/udp', '--dns', '192.0.2.9']
    const more = ['--dns-search', 'a.test', '--dns-option', 'ndots:3', '--add-host', 'db:192.0.2.8']
    const files = ['config.json', 'etc/resolv.conf', 'etc/hosts']
    const read = () => files.map((name) => readFileSync(join(place.bundle, name), 'utf8'))
    expect(call([...base, ...flags, ...more])).toEqual({ end: 0, stdout: '', stderr: '' })
    const made = read()
    expect(made[1]).toBe('nameserver 192.0.2.9\nsearch a.test\noptions ndots:3\n')
    const shown: readonly string[] = JSON.parse(call(['config', '-b', 'bundle', '--show', '--json']).stdout)
    const words = shown.filter((word) => /^--(network|publish|dns|add-host)/.test(word))
    expect(words).toHaveLength(7)
    expect(call([...base, ...words])).toEqual({ end: 0, stdout: '', stderr: '' })
    expect(read()).toEqual(made)
    const library = `import { spec } from '${join(import.meta.dirname, '../../../dist/bin/index.mjs')}'
await spec({ bundle: 'bundle', rootless: ${uid !== 0}, terminal: false, changes: { readOnly: false, network: '${program}',
  publish: ['8080:80', '127.0.0.1:53:53/udp'], dns: ['192.0.2.9'], dnsSearch: ['a.test'], dnsOption: ['ndots:3'],
  addHost: ['db:192.0.2.8'] } })`
    const node = `${process.execPath} --input-type=module -e "${library}"`
    host.run(
      `cd ${place.directory} && rm -r bundle/etc bundle/config.json && ${node}; chown -R ${uid}:${uid} bundle/etc bundle/config.json`,
    )
    expect(read().slice(1)).toEqual(made.slice(1))
    expect(JSON.parse(read()[0] ?? '').annotations).toEqual(JSON.parse(made[0] ?? '').annotations)
    // Another network begins anew.
    call(['config', '-b', 'bundle', '--network', 'none'])
    const { annotations = {}, mounts } = JSON.parse(read()[0] ?? '')
    expect(Object.keys(annotations)).toEqual(['bundle-tool.add-host'])
    expect(JSON.stringify(mounts)).not.toContain('resolv.conf')
  })

  test('without the program the error names its package', () => {
    const { place, call } = flagged()
    call([...base, '--network', program, '--', 'true'])
    expect(call(['run', '-b', 'bundle', place.id]).end).toBe(0) // and its program is kept
    const path = program === 'pasta' ? '/usr/bin/passt' : '/usr/bin/slirp4netns'
    host.run(`mount --bind /dev/null ${path}`)
    const { end, stderr } = call(['run', '-b', 'bundle', place.id])
    host.run(`umount ${path}`)
    expect(end).toBe(1)
    expect(stderr).toMatch(
      /which is not installed .*annotations\/bundle-tool.network.*install the package (passt|slirp4netns)/,
    )
  })

  test('a container joins the network of another one, with its names, while that one is there', () => {
    const { place, call } = serve('-p', '8080:80')
    const second = `${place.id}-2`
    const join = [
      '--network',
      `container:${place.id}`,
      '--',
      'sh',
      '-c',
      `${fetch('127.0.0.1', 80)}; cat /etc/resolv.conf`,
    ]
    const bundle = ['spec', '-b', 'other', '--no-tty', ...(uid === 0 ? [] : ['--rootless'])]
    host.run(`cp -a ${place.bundle} ${place.directory}/other`)
    expect(call([...bundle, ...join])).toMatchObject({ end: 0, stderr: '' })
    expect(call(['run', '-b', 'other', second])).toEqual({
      end: 0,
      stdout: 'inside\nnameserver 10.0.2.3\nsearch example.test\noptions ndots:1\n',
      stderr: '',
    })
    call(['kill', place.id, 'KILL'])
    expect(call(['wait', place.id]).end).toBeDefined()
    expect(call(['run', '-b', 'other', second]).stderr).toContain('whose network is to be joined, has ended')
    call(['delete', '--force', place.id])
    expect(call(['run', '-b', 'other', second]).stderr).toContain('whose network is to be joined, does not exist')
  })
})
