import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { requires } from '../requirements.ts'
import {
  cgroupDriver,
  EnginePlace,
  expectKeptPrograms,
  image,
  type Outcome,
  pathOf,
  runtimes,
  slowness,
  tool,
  writeImages,
} from './engine-place.ts'
import { dockerRows } from './engine-rows/docker.ts'
import { type RowEngine, testRows } from './engine-rows/rows.ts'

const { describe, test } = requires('root', 'dockerd', 'docker', 'runc', 'script')

describe('dockerd with this runtime', () => {
  let place: EnginePlace
  const docker = (...args: readonly string[]): Outcome => place.call(['docker', ...args])
  const options = (runtime: string) => ['run', '--runtime', runtime, '--network', 'none']
  const startShell = (script: string) => {
    const { status, stderr } = docker(...options('bundle-tool'), '-d', '--name', 'demo', 'busybox', 'sh', '-c', script)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  }
  beforeAll(async () => {
    place = new EnginePlace('dockerd', (directory) => ({ DOCKER_HOST: `unix://${directory}/sock` }))
    const directories = ['--data-root', place.at('data'), '--exec-root', place.at('exec'), '--pidfile', place.at('pid')]
    const network = ['--bridge=none', '--iptables=false', '--ip-forward=false', '--ip-masq=false']
    const storage = ['--storage-driver', 'vfs']
    const cgroups = ['--exec-opt', `native.cgroupdriver=${cgroupDriver}`]
    // A file that is not there would be the machine's own configuration.
    const write = ['engine', 'docker', '--write', '--default', '--file', place.at('daemon.json'), '--runtime', tool]
    expect(place.call([tool, ...write])).toMatchObject({ status: 0 })
    const daemonConfig = JSON.parse(readFileSync(place.at('daemon.json'), 'utf8'))
    for (const runtime of runtimes) daemonConfig.runtimes[runtime] ??= { path: pathOf(runtime) }
    delete daemonConfig.runtimes.runc // which dockerd has itself
    writeFileSync(place.at('daemon.json'), JSON.stringify(daemonConfig))
    await place.start(
      [
        'dockerd',
        '--config-file',
        place.at('daemon.json'),
        '-H',
        `unix://${place.at('sock')}`,
        ...directories,
        ...network,
        ...storage,
        ...cgroups,
      ],
      ['docker', 'version'],
    )
    // `docker import` is what takes any rootfs.
    expect(place.call([tool, 'unpack', image, '--out', place.at('bundle')]).status).toBe(0)
    const script = 'tar -C "$0" -c . | docker import - busybox'
    expect(place.call(['sh', '-c', script, place.at('bundle/rootfs')]).status).toBe(0)
  }, 60_000 * slowness)
  afterEach(() => {
    docker('rm', '-f', 'demo')
  })
  afterAll(async () => {
    await place.stop()
    place.call(['umount', place.at('exec/netns/default')]) // which dockerd leaves behind
    await place.close()
  })

  const rowEngine = (runtime: string): RowEngine => ({
    place,
    runtime,
    call: docker,
    onTerminal: (...args) => place.callOnTerminal(['docker', ...args]),
    run: options(runtime),
  })
  testRows(test, dockerRows, {
    title: () => `Docker ${docker('version', '--format', '{{.Server.Version}}').stdout.trim()}`,
    engines: () => runtimes.map(rowEngine),
  })

  test('loads what copy and repack write, imports what export writes, and its images are read by its socket', () => {
    const { copied, repacked, exported, id } = writeImages(place)
    for (const archive of [copied, repacked]) expect(docker('load', '-i', archive).stderr).toBe('')
    expect(docker('image', 'inspect', '--format', '{{.Id}}', 'example.com/copied:1').stdout.trim()).toBe(id)
    expect(docker('import', exported, 'exported').status).toBe(0)
    for (const name of ['example.com/repacked:1', 'exported']) {
      const { stdout } = docker(
        ...options('runc'),
        '--rm',
        name,
        'sh',
        '-c',
        'cat /new; ls /etc/passwd; stat -c %h /bin/busybox',
      )
      expect(stdout, name).toMatch(/^new\n\d{3}\n$/)
    }
    for (const name of ['example.com/repacked:1', 'exported']) {
      const bundle = place.at(`daemon-${name.replace(/\W/g, '-')}`)
      expect(place.call([tool, 'unpack', `docker-daemon:${name}`, '--out', bundle, '-q'])).toMatchObject({ status: 0 })
      expect(readFileSync(`${bundle}/rootfs/new`, 'utf8')).toBe('new\n')
    }
  })

  test('runs more processes by a program that is kept', () => {
    startShell('sleep 100')
    expectKeptPrograms(docker, place.at('exec'))
  })

  test('docker export of a container, then the three steps', () => {
    expect(docker('create', '--name', 'demo', '--network', 'none', 'busybox', 'sh').status).toBe(0)
    const script = `cd ${place.directory} && docker export demo > rootfs.tar
      ${tool} unpack --quiet rootfs:rootfs.tar --out exported && ${tool} spec -b exported`
    expect(place.call(['sh', '-c', script])).toEqual({ status: 0, stdout: '', stderr: '' })
    const inShell = (...args: readonly string[]) =>
      place.call(
        ['script', '-qec', `${tool} run ${args.join(' ')}`, '/dev/null'],
        'echo $((6 * 7)) $(hostname); exit 9\n',
      )
    for (const args of [
      ['--bundle', place.at('exported'), 'demo1'],
      [place.at('exported'), 'demo1'],
    ]) {
      expect(inShell(...args)).toMatchObject({ status: 9, stdout: expect.stringContaining('\r\n42 runc\r\n') })
    }
  })
})
