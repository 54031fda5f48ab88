import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { requires } from '../requirements.ts'
import {
  cgroupDriver,
  EnginePlace,
  expectKeptPrograms,
  image,
  inCommonWords,
  type Outcome,
  pathOf,
  runtimes,
  slowness,
  tool,
  writeImages,
} from './engine-place.ts'
import { buildahRows } from './engine-rows/buildah.ts'
import { hasLimits } from './engine-rows/docker-limits.ts'
import { podmanRows } from './engine-rows/podman.ts'
import { name, type RowEngine, testRows } from './engine-rows/rows.ts'

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
${hasLimits ? '' : 'pids_limit = 0'}
cgroups = "no-conmon"
[engine]
cgroup_manager = "${cgroupDriver}"
events_logger = "file"
infra_image = "localhost/infra"
runtime_supports_json = ${JSON.stringify(runtimes)}
[engine.runtimes]
${runtimes.map((runtime) => `${runtime} = ["${pathOf(runtime)}"]`).join('\n')}
`,
    )
    const places = `runroot = "${place.at('run')}"\ngraphroot = "${place.at('graph')}"\n`
    writeFileSync(place.at('storage.conf'), `[storage]\ndriver = "vfs"\n${places}`)
    expect(podman('pull', '-q', `oci-archive:${image}`).stderr).toBe('')
    const { stdout: id } = podman('images', '-q')
    expect(podman('tag', id.trim(), 'localhost/busybox').status).toBe(0)
    mkdirSync(place.at('infra'))
    writeFileSync(place.at('infra/Containerfile'), 'FROM localhost/busybox\nCMD ["sleep", "1000"]\n')
    expect(podman('build', '-q', '-t', 'localhost/infra', place.at('infra')).status).toBe(0)
  }, 60_000 * slowness)
  afterEach(() => {
    podman('rm', '-f', '-t', '0', '-i', 'demo')
  })
  afterAll(() => place.close())

  const rowEngine = (runtime: string): RowEngine => {
    const client = ['podman', '--tmpdir', place.at('tmp'), '--runtime', runtime]
    return {
      place,
      runtime,
      call: (...args) => place.call([...client, ...(args[0] === 'rm' ? ['rm', '-f', '-t', '0', '-i', name] : args)]),
      onTerminal: (...args) => place.callOnTerminal([...client, ...args]),
      run: options,
    }
  }
  testRows(test, podmanRows, {
    title: () => podman('--version').stdout.replace(' version', '').trim(),
    engines: () => runtimes.map(rowEngine),
  })

  const buildah = (...args: readonly string[]) => place.call(['buildah', ...args])
  testRows(test, buildahRows, {
    title: () => buildah('--version').stdout.split(' ', 3).join(' ').replace(' version', ''),
    engines: () =>
      runtimes.map((runtime) => ({
        place,
        runtime,
        call: (...args) => buildah(...(args[0] === 'rm' ? ['rm', name] : args)),
        onTerminal: (...args) => place.callOnTerminal(['buildah', ...args]),
        run: ['--runtime', pathOf(runtime), '--isolation', 'oci', '--network', 'none'],
      })),
  })

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

  test('runs more processes by a program that is kept', () => {
    startShell('sleep 100')
    expectKeptPrograms(podman, '/run/bundle-tool')
  })
})
