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

const { describe, test } = requires('root', 'podman', 'buildah', 'runc', 'script')

describe('podman and buildah with this runtime', () => {
  let place: EnginePlace
  const podman = (...args: readonly string[]): Outcome =>
    place.call(['podman', '--tmpdir', place.at('tmp'), '--runtime', 'bundle-tool', ...args])
  const options = ['run', '--network', 'none']
  const run = (...args: readonly string[]) => podman(...options, '--rm', ...args)
  const expectLikeRunc = (...args: readonly string[]) => {
    const [ours, theirs] = ['bundle-tool', 'runc'].map((runtime) =>
      inCommonWords(
        place.call(['podman', '--tmpdir', place.at('tmp'), '--runtime', runtime, ...options, '--rm', ...args]),
      ),
    )
    expect(ours).toEqual(theirs)
    return expect(ours)
  }
  const startShell = (script: string) =>
    expect(podman(...options, '-d', '--name', 'demo', 'busybox', 'sh', '-c', script).stderr).toBe('')
  const inspect = (field: string) => podman('inspect', '--format', `{{.State.${field}}}`, 'demo').stdout.trim()

  beforeAll(() => {
    place = new EnginePlace('podman', (directory) => ({
      CONTAINERS_CONF: `${directory}/containers.conf`,
      CONTAINERS_STORAGE_CONF: `${directory}/storage.conf`,
    }))
    // Podman cannot remove a cgroup for conmon where a v1 controller is not mounted: it has made files on the tmpfs.
    writeFileSync(
      place.at('containers.conf'),
      `[containers]
default_ulimits = []
log_driver = "k8s-file"
cgroups = "no-conmon"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime_supports_json = ["bundle-tool", "runc"]
[engine.runtimes]
bundle-tool = ["${tool}"]
`,
    )
    const places = `runroot = "${place.at('run')}"\ngraphroot = "${place.at('graph')}"\n`
    writeFileSync(place.at('storage.conf'), `[storage]\ndriver = "vfs"\n${places}`)
    expect(podman('pull', '-q', `oci-archive:${image}`).stderr).toBe('')
    const { stdout: id } = podman('images', '-q')
    expect(podman('tag', id.trim(), 'localhost/busybox').status).toBe(0)
  }, 60_000)
  afterEach(() => {
    podman('rm', '-f', '-t', '0', '-i', 'demo')
  })
  afterAll(() => place.close())

  test('a pipeline in a container ends as it would anywhere, though conmon ignores SIGPIPE', () => {
    const trap = 'trap "echo trapped" PIPE; kill -PIPE $$; yes | head -n 1'
    expectLikeRunc('busybox', 'sh', '-c', trap).toEqual({ status: 0, stdout: 'trapped\ny\n', stderr: '' })
    const asInit = ['grep', '^Sig[BI]', '/proc/self/status']
    const zeros = '0'.repeat(16)
    expect(run('busybox', ...asInit).stdout).toBe(`SigBlk:\t${zeros}\nSigIgn:\t${zeros}\n`)
  })

  test('loads what copy and repack write, imports what export writes, and its images are read by its socket', async () => {
    const { copied, repacked, exported, id } = writeImages(place)
    for (const archive of [copied, repacked]) expect(podman('load', '-q', '-i', archive).status).toBe(0)
    expect(`sha256:${podman('image', 'inspect', '--format', '{{.Id}}', 'example.com/copied:1').stdout.trim()}`).toBe(id)
    expect(podman('import', '-q', exported, 'localhost/exported').status).toBe(0)
    for (const name of ['example.com/repacked:1', 'localhost/exported']) {
      const { stdout } = run(name, 'sh', '-c', 'cat /new; ls /etc/passwd; stat -c %h /bin/busybox')
      expect(stdout, name).toMatch(/^new\n\d{3}\n$/)
    }
    const socket = `unix://${place.at('podman.sock')}`
    const service = ['podman', '--tmpdir', place.at('tmp'), 'system', 'service', '--time', '0', socket]
    await place.start(service, ['test', '-S', place.at('podman.sock')])
    const bundle = place.at('from-podman')
    const unpacked = place.call([
      'env',
      `DOCKER_HOST=${socket}`,
      tool,
      'unpack',
      'docker-daemon:example.com/repacked:1',
      '--out',
      bundle,
    ])
    expect(unpacked).toMatchObject({ status: 0 })
    expect(readFileSync(`${bundle}/rootfs/new`, 'utf8')).toBe('new\n')
  })

  test('passes on streams, exit codes and words of failures, like runc', () => {
    expectLikeRunc('busybox', 'sh', '-c', 'echo out; echo err >&2; exit 7').toEqual({
      status: 7,
      stdout: 'out\n',
      stderr: 'err\n',
    })
    expectLikeRunc('busybox', 'nope').toMatchObject({ status: 127 })
    expectLikeRunc('busybox', '/etc/passwd').toMatchObject({ status: 126 })
  })

  test('does what the flags of podman run ask for, like runc', () => {
    const show = ['busybox', 'sh', '-c', 'id; pwd; echo $A; grep Cap /proc/self/status; ulimit -n']
    expectLikeRunc('-u', '12:34', '-w', '/tmp', '-e', 'A=b', ...show).toMatchObject({ status: 0 })
    expectLikeRunc('--cap-drop', 'ALL', '--cap-add', 'NET_ADMIN', ...show)
    const maps = ['--uidmap', '0:100000:1000', '--gidmap', '0:100000:1000']
    expectLikeRunc(...maps, 'busybox', 'sh', '-c', 'id -u; cat /proc/self/uid_map').toMatchObject({ status: 0 })
    const limits = 'cat /sys/fs/cgroup/m*/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>&-'
    expect(run('--memory', '64m', 'busybox', 'sh', '-c', limits).stdout).toBe('67108864\n')
    const writes = 'touch /x; touch /run/x; df -k /run | tail -1'
    expectLikeRunc('--read-only', '--tmpfs', '/run:size=1m', 'busybox', 'sh', '-c', writes).toMatchObject({
      stdout: expect.stringMatching(/^tmpfs +1024 /),
    })
  })

  test('gives a container that is run, and one more process, a terminal', () => {
    // On a busy host podman 4.3 may show nothing of a container that ends at once: it lets go of conmon before conmon has read all.
    const script = ['sh', '-c', 'tty; sleep 0.3; exit 3']
    const client = ['podman', '--tmpdir', place.at('tmp'), '--runtime', 'bundle-tool']
    const expected = { status: 3, stdout: expect.stringContaining('/dev/pts/0\n') }
    expect(place.callOnTerminal([...client, ...options, '--rm', '-it', 'busybox', ...script])).toMatchObject(expected)
    startShell('sleep 100')
    expect(place.callOnTerminal([...client, 'exec', '-it', 'demo', ...script])).toMatchObject({ status: 3 })
  })

  test('runs more processes by a program that is kept', () => {
    startShell('sleep 100')
    expectKeptPrograms(podman, '/run/bundle-tool')
  })

  test('runs more processes, and lists, pauses, limits and ends them', async () => {
    startShell('trap "echo ended; exit 5" TERM; echo started; while :; do sleep 0.1; done')
    expect(
      podman('exec', '-u', '1:2', '-w', '/tmp', '-e', 'X=y', 'demo', 'sh', '-c', 'id -u; pwd; echo $X; exit 4'),
    ).toEqual({
      status: 4,
      stdout: '1\n/tmp\ny\n',
      stderr: '',
    })
    expect(podman('exec', 'demo', 'nope')).toMatchObject({ status: 127 })
    expect(podman('exec', '-d', 'demo', 'sleep', '77').status).toBe(0)
    await vi.waitFor(() => expect(podman('top', 'demo', 'args').stdout).toContain('sleep 77'))
    expect(podman('pause', 'demo').status).toBe(0)
    expect(inspect('Status')).toBe('paused')
    expect(podman('unpause', 'demo').status).toBe(0)
    expect(podman('update', '--memory', '80m', 'demo').status).toBe(0)
    const read = 'cat /sys/fs/cgroup/m*/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>&-'
    expect(podman('exec', 'demo', 'sh', '-c', read).stdout).toBe('83886080\n')
    expect(podman('stop', 'demo').status).toBe(0)
    expect([inspect('Status'), inspect('ExitCode')]).toEqual(['exited', '5'])
    expect(podman('logs', 'demo').stdout).toBe('started\nended\n')
    expect(podman('start', 'demo').status).toBe(0)
    expect(podman('kill', 'demo').status).toBe(0)
    await vi.waitFor(() => expect(inspect('ExitCode')).toBe('137'), { timeout: 20_000 })
  })

  test('runs containers of a pod', () => {
    expect(
      podman('pod', 'create', '--network', 'none', '--infra-image', 'busybox', '--infra-command', 'sleep 100', 'pod')
        .status,
    ).toBe(0)
    try {
      const inPod = ['run', '--rm', '--pod', 'pod', 'busybox', 'sh', '-c', 'grep ^Seccomp: /proc/self/status']
      expect(podman(...inPod)).toEqual({ status: 0, stdout: 'Seccomp:\t2\n', stderr: '' })
    } finally {
      expect(podman('pod', 'rm', '-f', '-t', '0', 'pod')).toMatchObject({ status: 0, stderr: '' })
    }
  })

  test('buildah builds an image, and runs commands in a container', () => {
    const buildah = (...args: readonly string[]) => place.call(['buildah', ...args])
    const common = ['--runtime', tool, '--isolation', 'oci', '--network', 'none']
    writeFileSync(place.at('Containerfile'), 'FROM localhost/busybox\nRUN echo built > /file\n')
    const build = ['build', '-q', ...common, '-f', place.at('Containerfile'), '-t', 'built', place.at('tmp')]
    expect(buildah(...build).status).toBe(0)
    const container = buildah('from', 'localhost/built').stdout.trim()
    expect(buildah('run', ...common, container, 'sh', '-c', 'cat /file; exit 7')).toMatchObject({ stdout: 'built\n' })
    expect(place.callOnTerminal(['buildah', 'run', '-t', ...common, container, 'tty']).stdout).toContain('/dev/pts/0\n')
    expect(buildah('rm', container).status).toBe(0)
  })
})
