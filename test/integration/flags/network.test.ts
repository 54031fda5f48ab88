import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { requires } from '../../requirements.ts'
import { callers, openFlagged } from './flagged.ts'

const { test } = requires('root', 'busybox')
const hostNetwork = readlinkSync('/proc/self/ns/net')
const files = ['/etc/resolv.conf', '/etc/hosts'].filter((path) => existsSync(path))

describe.each(callers)('as %s', (_, uid) => {
  const flagged = openFlagged(uid)

  test("host is the host's network, with its names, which cannot be changed", () => {
    const script = `readlink /proc/self/ns/net; cat ${files.join(' ')}; for f in ${files.join(' ')}; do echo x 2>/dev/null >>$f || echo no; done`
    const names = files.map((path) => readFileSync(path, 'utf8')).join('')
    expect(flagged().see(['--network', 'host'], script)).toBe(
      `${hostNetwork}\n${names}${files.map(() => 'no\n').join('')}`,
    )
  })

  test('none is a loopback interface alone', () => {
    const script =
      'readlink /proc/self/ns/net; ls /proc/self/ns/net /proc/net/dev >/dev/null; tail -n +3 /proc/net/dev | cut -d: -f1'
    const [network, ...interfaces] = flagged().see(['--network', 'none'], script).split('\n')
    expect(network).toMatch(/^net:/)
    expect(network).not.toBe(hostNetwork)
    expect(interfaces.map((name) => name.trim())).toEqual(['lo', ''])
  })

  test('a file that is mounted by another flag stays', () => {
    const { place, see } = flagged()
    writeFileSync(join(place.directory, 'hosts'), '127.0.0.1 mine\n')
    expect(see(['-v', './hosts:/etc/hosts:ro', '--network=host'], 'cat /etc/hosts')).toBe('127.0.0.1 mine\n')
  })

  test('one network follows the other in a bundle, and --show prints it', () => {
    const { place, call } = flagged()
    call(['spec', '-b', 'bundle', ...(uid === 0 ? [] : ['--rootless'])])
    const read = () => JSON.parse(readFileSync(join(place.bundle, 'config.json'), 'utf8'))
    const before = read()
    const shown = () =>
      call(['config', '-b', 'bundle', '--show'])
        .stdout.split('\n')
        .filter((line) => /network|volume/.test(line))
    expect(shown()).toEqual([])
    call(['config', '-b', 'bundle', '--network', 'host'])
    expect(shown()).toEqual(uid === 0 ? ['--network=host'] : [])
    call(['config', '-b', 'bundle', '--network', 'none'])
    expect(shown()).toEqual(uid === 0 ? [] : ['--network=none'])
    expect(read().mounts).toEqual(before.mounts)
  })

  test.each([
    [['--network', 'bridge'], '--network \\"bridge\\": there is no network \\"bridge\\"'],
    [['--network', 'ns:/missing'], '--network \\"ns:/missing\\": there is no \\"/missing\\" on this host'],
    [['--dns', 'one.one'], '--dns \\"one.one\\": it must be an IP address'],
    [['-p', '80:80'], '--publish \\"80:80\\": only a network of its own has ports to publish'],
    [['-p', '80:80', '--network=host'], 'only a network of its own has ports to publish'],
    [['-p', '70000:80', '--network=pasta'], 'it must be [IP:][HOSTPORT:]PORT[/tcp|udp]'],
    [['-p', '1-3:1-2', '--network=pasta'], 'the two ranges of ports differ in length'],
    [['-p', '1-3', '--network=pasta'], 'a range needs ports of the host too'],
    [['-p', '1.2.3.400:80:80', '--network=pasta'], '\\"1.2.3.400\\" is no IP address'],
    [['--add-host', 'name'], 'it must be NAME:IP'],
    [['--add-host', 'name:1.2.3'], '\\"1.2.3\\" is no IP address'],
    [['--dns-search', 'a b'], 'it must be one word'],
    [['--network', 'container:a/b'], 'there is no network \\"container:a/b\\"'],
    [['--annotation', 'bundle-tool.network=pasta'], 'this name is the one of --network'],
    [['--label', 'bundle-tool.add-host=x'], 'this name is the one of --add-host'],
  ])('%j is refused by its name', (flags, message) => {
    expect(flagged().refusal(...flags)).toContain(message)
  })
})

describe('a network namespace of somebody else', () => {
  const flagged = openFlagged(0)

  requires('root', 'busybox', 'ip').test('is joined by its path', () => {
    const name = `flags-${process.pid}`
    execFileSync('ip', ['netns', 'add', name])
    try {
      const path = `/run/netns/${name}`
      const network = flagged().see(['--network', `ns:${path}`], 'readlink /proc/self/ns/net')
      expect(network).toBe(`net:[${statSync(path).ino}]\n`)
    } finally {
      execFileSync('ip', ['netns', 'delete', name])
    }
  })
})
