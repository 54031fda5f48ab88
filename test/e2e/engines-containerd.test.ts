import { writeFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, expect, vi } from 'vitest'
import { requires } from '../requirements.ts'
import { EnginePlace, image, inCommonWords, type Outcome, tool } from './engine-place.ts'

const { describe, test } = requires('root', 'containerd', 'ctr', 'runc', 'script', 'skopeo')

describe('containerd with this runtime', () => {
  let place: EnginePlace
  const ctr = (...args: readonly string[]): Outcome => place.call(['ctr', ...args])
  const options = (runtime: string) => ['run', '--snapshotter', 'native', '--runc-binary', runtime]
  const expectLikeRunc = (flags: readonly string[], ...command: readonly string[]) => {
    const [ours, theirs] = [tool, 'runc'].map((runtime) =>
      inCommonWords(ctr(...options(runtime), '--rm', ...flags, 'busybox', 'demo', ...command)),
    )
    expect(ours).toEqual(theirs)
    return expect(ours)
  }
  const startShell = (script: string) => {
    const run = [...options(tool), '--detach', '--null-io', 'busybox', 'demo', 'sh', '-c', script]
    expect(ctr(...run)).toEqual({ status: 0, stdout: '', stderr: '' })
  }
  const status = () => /^demo +\d+ +(\S+)/m.exec(ctr('tasks', 'ls').stdout)?.[1]

  beforeAll(async () => {
    place = new EnginePlace('containerd', (directory) => ({ CONTAINERD_ADDRESS: `${directory}/sock` }))
    writeFileSync(
      place.at('config.toml'),
      `version = 2
root = "${place.at('root')}"
state = "${place.at('state')}"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "${place.at('sock')}"
[plugins."io.containerd.internal.v1.opt"]
path = "${place.at('opt')}"
`,
    )
    await place.start(['containerd', '--config', place.at('config.toml')], ['ctr', 'version'])
    expect(
      place.call(['skopeo', 'copy', '-q', `oci-archive:${image}`, `oci-archive:${place.at('image')}:x`]).status,
    ).toBe(0)
    expect(
      ctr('images', 'import', '--index-name', 'busybox', '--snapshotter', 'native', place.at('image')).stderr,
    ).toBe('')
  }, 60_000)
  afterEach(() => {
    ctr('tasks', 'delete', '--force', 'demo')
    ctr('containers', 'delete', 'demo')
  })
  afterAll(() => place.close())

  test('passes on streams, exit codes and words of failures, like runc', () => {
    expectLikeRunc([], 'sh', '-c', 'echo out; echo err >&2; exit 7').toEqual({
      status: 7,
      stdout: 'out\n',
      stderr: 'err\n',
    })
    expectLikeRunc([], 'nope').toMatchObject({
      status: 1,
      stderr: expect.stringContaining('executable file not found'),
    })
    expectLikeRunc(
      ['--privileged', '--cwd', '/tmp', '--env', 'A=b'],
      'sh',
      '-c',
      'pwd; echo $A; grep Cap /proc/self/status',
    )
  })

  test('applies the default seccomp profile, like runc', () => {
    const probe = 'grep ^Seccomp: /proc/self/status; unshare -U true; chown 1:1 /bin; echo $?'
    expectLikeRunc(['--seccomp'], 'sh', '-c', probe).toMatchObject({ stdout: 'Seccomp:\t2\n0\n' })
  })

  test('gives a container a terminal', () => {
    const run = ['ctr', ...options(tool), '--rm', '--tty', 'busybox', 'demo', 'sh', '-c', 'tty; exit 3']
    expect(place.callOnTerminal(run)).toMatchObject({ status: 3, stdout: expect.stringContaining('/dev/pts/0\n') })
  })

  test('runs more processes, and lists, counts, pauses and ends them', async () => {
    startShell('trap "exit 5" TERM; while :; do sleep 0.1; done')
    expect(status()).toBe('RUNNING')
    const exec = ['tasks', 'exec', '--exec-id', 'more', 'demo']
    expect(ctr(...exec, 'sh', '-c', 'echo in; exit 4')).toMatchObject({ status: 4, stdout: 'in\n' })
    expect(ctr(...exec, 'nope').stderr).toContain('exec failed: unable to start container process: exec: "nope"')
    expect(ctr('tasks', 'ps', 'demo').stdout).toMatch(/^PID +INFO\n\d+ /)
    expect(ctr('tasks', 'metrics', 'demo').stdout).toMatch(/^pids.current +[12] /m)
    expect(ctr('tasks', 'pause', 'demo').status).toBe(0)
    expect(status()).toBe('PAUSED')
    expect(ctr('tasks', 'resume', 'demo').status).toBe(0)
    expect(ctr('tasks', 'kill', '--signal', 'SIGTERM', 'demo').status).toBe(0)
    await vi.waitFor(() => expect(status()).toBe('STOPPED'), { timeout: 20_000 })
    expect(ctr('tasks', 'delete', 'demo')).toMatchObject({ stderr: expect.stringContaining('exit code 5') })
  })

  test('removes what runs', () => {
    startShell('sleep 100')
    expect(ctr('tasks', 'delete', '--force', 'demo').status).toBe(0)
    expect(status()).toBeUndefined()
  })
})
