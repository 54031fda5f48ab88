import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, expect, vi } from 'vitest'
import { requires } from '../requirements.ts'
import {
  EnginePlace,
  expectKeptPrograms,
  image,
  inCommonWords,
  type Outcome,
  tool,
  writeImages,
} from './engine-place.ts'

const { describe, test } = requires('root', 'dockerd', 'docker', 'runc', 'script')

describe('dockerd with this runtime', () => {
  let place: EnginePlace
  const docker = (...args: readonly string[]): Outcome => place.call(['docker', ...args])
  const options = (runtime: string) => ['run', '--runtime', runtime, '--network', 'none']
  const expectLikeRunc = (...args: readonly string[]) => {
    const [ours, theirs] = ['bt', 'runc'].map((name) => inCommonWords(docker(...options(name), '--rm', ...args)))
    expect(ours).toEqual(theirs)
    return expect(ours)
  }
  const startShell = (script: string) => {
    const { status, stderr } = docker(...options('bt'), '-d', '--name', 'demo', 'busybox', 'sh', '-c', script)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  }
  const inspect = (field: string) => docker('inspect', '--format', `{{.State.${field}}}`, 'demo').stdout.trim()
  const untilStatus = (status: string) => vi.waitFor(() => expect(inspect('Status')).toBe(status), { timeout: 20_000 })

  beforeAll(async () => {
    place = new EnginePlace('dockerd', (directory) => ({ DOCKER_HOST: `unix://${directory}/sock` }))
    const directories = ['--data-root', place.at('data'), '--exec-root', place.at('exec'), '--pidfile', place.at('pid')]
    const network = ['--bridge=none', '--iptables=false', '--ip-forward=false', '--ip-masq=false']
    const runtime = ['--add-runtime', `bt=${tool}`, '--storage-driver', 'vfs']
    // A file that is not there would be the machine's own configuration.
    writeFileSync(place.at('daemon.json'), '{}')
    await place.start(
      [
        'dockerd',
        '--config-file',
        place.at('daemon.json'),
        '-H',
        `unix://${place.at('sock')}`,
        ...directories,
        ...network,
        ...runtime,
      ],
      ['docker', 'version'],
    )
    // `docker import` is what takes any rootfs.
    expect(place.call([tool, 'unpack', image, '--out', place.at('bundle')]).status).toBe(0)
    const script = 'tar -C "$0" -c . | docker import - busybox'
    expect(place.call(['sh', '-c', script, place.at('bundle/rootfs')]).status).toBe(0)
  }, 60_000)
  afterEach(() => {
    docker('rm', '-f', 'demo')
  })
  afterAll(() => place.close())

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

  test('passes on streams, exit codes and words of failures, like runc', () => {
    expectLikeRunc('busybox', 'sh', '-c', 'echo out; echo err >&2; exit 7').toEqual({
      status: 7,
      stdout: 'out\n',
      stderr: 'err\n',
    })
    expect(place.call(['docker', ...options('bt'), '--rm', '-i', 'busybox', 'cat'], 'hello').stdout).toBe('hello')
    expectLikeRunc('busybox', 'nope').toMatchObject({ status: 127 })
    expectLikeRunc('busybox', '/etc/passwd').toMatchObject({ status: 126 })
  })

  test('does what the flags of docker run ask for, like runc', () => {
    const show = ['busybox', 'sh', '-c', 'id; pwd; echo $A; grep Cap /proc/self/status; ulimit -n']
    expectLikeRunc('-u', '12:34', '--group-add', '56', '-w', '/new/dir', '-e', 'A=b', ...show).toMatchObject({
      status: 0,
    })
    expectLikeRunc('--cap-drop', 'ALL', '--cap-add', 'NET_ADMIN', '--ulimit', 'nofile=99:199', ...show)
    expectLikeRunc('--security-opt', 'no-new-privileges', 'busybox', 'grep', 'NoNew', '/proc/self/status')
    expectLikeRunc('--sysctl', 'net.ipv4.ip_forward=1', 'busybox', 'cat', '/proc/sys/net/ipv4/ip_forward')
    expectLikeRunc('--device', '/dev/null:/dev/mine', 'busybox', 'stat', '-c', '%F %t %T %a', '/dev/mine')
    const writes = 'touch /x; touch /run/x; touch /v/x; touch /w/x; ls /w; df -k /run | tail -1'
    const mounts = ['--read-only', '--tmpfs', '/run:size=1m', '-v', '/etc:/v:ro', '-v', '/w']
    expectLikeRunc(...mounts, 'busybox', 'sh', '-c', writes).toMatchObject({
      stdout: expect.stringMatching(/^x\ntmpfs +1024 /),
    })
    expectLikeRunc('--pid', 'host', '--ipc', 'host', '--uts', 'host', 'busybox', 'readlink', '/proc/self/ns/pid')
  })

  test('applies the default seccomp profile, and one that is given, like runc', () => {
    const probe = 'grep ^Seccomp: /proc/self/status; unshare -U true; mount -t tmpfs x /tmp; chown 1:1 /bin; echo $?'
    expectLikeRunc('busybox', 'sh', '-c', probe).toMatchObject({
      stdout: expect.stringMatching(/^Seccomp:\t2\n0\n$/),
    })
    expectLikeRunc('--security-opt', 'seccomp=unconfined', 'busybox', 'sh', '-c', probe).toMatchObject({
      stdout: expect.stringMatching(/^Seccomp:\t0\n/),
    })
    const rules = [{ names: ['chown', 'fchownat', 'lchown'], action: 'SCMP_ACT_ERRNO' }]
    writeFileSync(place.at('profile'), JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: rules }))
    expectLikeRunc('--security-opt', `seccomp=${place.at('profile')}`, 'busybox', 'sh', '-c', probe).toMatchObject({
      stderr: expect.stringContaining('chown: /bin: Operation not permitted'),
    })
  })

  test('sets limits, and changes them', () => {
    docker(...options('bt'), '-d', '--name', 'demo', '--memory', '64m', '--pids-limit', '20', 'busybox', 'sleep', '100')
    const read = () =>
      docker(
        'exec',
        'demo',
        'sh',
        '-c',
        'cd /sys/fs/cgroup; cat m*/memory.limit_in_bytes memory.max p*/pids.max pids.max 2>&-',
      ).stdout
    expect(read()).toBe('67108864\n20\n')
    expect(docker('update', '--memory', '80m', '--memory-swap', '160m', '--pids-limit', '30', 'demo').status).toBe(0)
    expect(read()).toBe('83886080\n30\n')
  })

  test('gives a container that is run, and one more process, a terminal', () => {
    const script = ['sh', '-c', 'tty; exit 3']
    expect(place.callOnTerminal(['docker', ...options('bt'), '--rm', '-it', 'busybox', ...script])).toMatchObject({
      status: 3,
      stdout: expect.stringContaining('/dev/pts/0\n'),
    })
    startShell('sleep 100')
    expect(place.callOnTerminal(['docker', 'exec', '-it', 'demo', ...script])).toMatchObject({ status: 3 })
  })

  test('runs more processes by a program that is kept', () => {
    startShell('sleep 100')
    expectKeptPrograms(docker, place.at('exec'))
  })

  test('runs more processes, and lists, counts, pauses and ends them', async () => {
    startShell('trap "echo ended; exit 5" TERM; echo started; while :; do sleep 0.1; done')
    expect(
      docker('exec', '-u', '1:2', '-w', '/tmp', '-e', 'X=y', 'demo', 'sh', '-c', 'id -u; pwd; echo $X; exit 4'),
    ).toEqual({
      status: 4,
      stdout: '1\n/tmp\ny\n',
      stderr: '',
    })
    expect(docker('exec', 'demo', 'nope')).toMatchObject({
      status: 126,
      stdout: expect.stringContaining('executable file not found in $PATH'),
    })
    expect(docker('exec', '-d', 'demo', 'sleep', '77').status).toBe(0)
    await vi.waitFor(() => expect(docker('top', 'demo', '-o', 'pid,args').stdout).toContain('sleep 77'))
    expect(docker('stats', '--no-stream', '--format', '{{.PIDs}}', 'demo').stdout).toMatch(/^[34]\n$/)
    expect(docker('pause', 'demo').status).toBe(0)
    expect(inspect('Status')).toBe('paused')
    expect(docker('unpause', 'demo').status).toBe(0)
    expect(docker('stop', 'demo').status).toBe(0)
    expect([inspect('Status'), inspect('ExitCode')]).toEqual(['exited', '5'])
    expect(docker('logs', 'demo').stdout).toBe('started\nended\n')
  })

  test('sends signals, starts again, and removes what runs', async () => {
    startShell('sleep 100')
    expect(docker('kill', 'demo').status).toBe(0)
    await untilStatus('exited')
    expect(inspect('ExitCode')).toBe('137')
    expect(docker('restart', 'demo').status).toBe(0)
    await untilStatus('running')
    expect(docker('rm', '-f', 'demo').status).toBe(0)
    expect(docker('ps', '-aq').stdout).toBe('')
  })

  test('shares the namespaces of another container', () => {
    startShell('sleep 100')
    const joined = ['network', 'pid'].flatMap((name) => [`--${name}`, 'container:demo'])
    const read = 'readlink /proc/self/ns/net; readlink /proc/self/ns/pid'
    const { stdout } = docker('run', '--rm', '--runtime', 'bt', ...joined, 'busybox', 'sh', '-c', read)
    expect(stdout.split('\n')).toHaveLength(3)
    expect(stdout).toBe(docker('exec', 'demo', 'sh', '-c', read).stdout)
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
