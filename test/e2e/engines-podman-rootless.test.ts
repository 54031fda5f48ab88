import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect } from 'vitest'
import { requires } from '../requirements.ts'
import { EnginePlace, image, pathOf, runtimes, slowness } from './engine-place.ts'
import { buildahRows } from './engine-rows/buildah.ts'
import { rootlessRows } from './engine-rows/podman.ts'
import { name, type RowEngine, testRows, until } from './engine-rows/rows.ts'

const { describe, test } = requires(
  'root',
  'podman',
  'buildah',
  'runc',
  'script',
  'setpriv',
  'useradd',
  'userdel',
  'newuidmap',
)

/** A user with ranges of ids, who is in one more group: of this run alone, since all that the user runs is killed at its end. */
const [user, uid, group] = [`bundle-tool-${process.pid}`, 40_000 + (process.pid % 10_000), 54_399] as const

describe('podman of a user who is not root', () => {
  let place: EnginePlace
  let asUser: readonly string[] = []
  const podman = (...args: readonly string[]) => place.call([...asUser, 'podman', '--runtime', 'bundle-tool', ...args])

  beforeAll(() => {
    execFileSync('useradd', ['--no-create-home', '--system', '--uid', `${uid}`, '--add-subids-for-system', user])
    const gid = Number(execFileSync('id', ['-g', user], { encoding: 'utf8' }))
    place = new EnginePlace('podman-rootless', (directory) => ({
      HOME: directory,
      TMPDIR: `${directory}/tmp`,
      XDG_RUNTIME_DIR: `${directory}/run`,
      CONTAINERS_CONF: `${directory}/containers.conf`,
      CONTAINERS_STORAGE_CONF: `${directory}/storage.conf`,
    }))
    asUser = ['setpriv', '--reuid', `${uid}`, '--regid', `${gid}`, '--groups', `${gid},${group}`]
    for (const path of ['tmp', 'run', 'mine']) mkdirSync(place.at(path), { mode: 0o700 })
    for (const path of [place.directory, place.at('tmp'), place.at('run')]) chownSync(path, uid, gid)
    chmodSync(place.directory, 0o755)
    chownSync(place.at('mine'), 0, group)
    chmodSync(place.at('mine'), 0o750)
    writeFileSync(place.at('mine/file'), 'of a group\n')
    writeFileSync(
      place.at('containers.conf'),
      `[containers]
default_ulimits = []
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
infra_image = "localhost/infra"
runtime_supports_json = ${JSON.stringify(runtimes)}
[engine.runtimes]
${runtimes.map((runtime) => `${runtime} = ["${pathOf(runtime)}"]`).join('\n')}
`,
    )
    const places = `runroot = "${place.at('run/storage')}"\ngraphroot = "${place.at('graph')}"\n`
    writeFileSync(place.at('storage.conf'), `[storage]\ndriver = "vfs"\n${places}`)
    expect(podman('pull', '-q', `oci-archive:${image}`).stderr).not.toContain('Error')
    expect(podman('tag', podman('images', '-q').stdout.trim(), 'localhost/busybox')).toMatchObject({ status: 0 })
    mkdirSync(place.at('infra'))
    writeFileSync(place.at('infra/Containerfile'), 'FROM localhost/busybox\nCMD ["sleep", "1000"]\n')
    expect(podman('build', '-q', '-t', 'localhost/infra', place.at('infra'))).toMatchObject({ status: 0 })
  }, 60_000 * slowness)
  afterAll(async () => {
    podman('rm', '-f', '-t', '0', '-a')
    podman('unshare', 'rm', '-rf', place.at('graph'), place.at('run/storage'))
    // One process keeps the user namespace for good.
    const isOurs = (pid: string): boolean =>
      /^\d+$/.test(pid) && statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid === uid
    for (const pid of readdirSync('/proc').filter(isOurs)) process.kill(Number(pid), 'SIGKILL')
    await until(() => !readdirSync('/proc').some(isOurs))
    await place.close()
    execFileSync('userdel', [user], { stdio: 'ignore' })
  })

  const rowEngine = (runtime: string): RowEngine => {
    const client = [...asUser, 'podman', '--runtime', runtime]
    return {
      place,
      runtime,
      call: (...args) => place.call([...client, ...(args[0] === 'rm' ? ['rm', '-f', '-t', '0', '-i', name] : args)]),
      onTerminal: (...args) => place.callOnTerminal([...client, ...args]),
      run: ['run', '--network', 'none'],
    }
  }
  testRows(test, rootlessRows, {
    title: () => `${podman('--version').stdout.replace(' version', '').trim()}, rootless`,
    engines: () => runtimes.map(rowEngine),
  })

  const buildah = (...args: readonly string[]) => place.call([...asUser, 'buildah', ...args])
  testRows(test, buildahRows, {
    title: () => `${buildah('--version').stdout.split(' ', 3).join(' ').replace(' version', '')}, rootless`,
    engines: () =>
      runtimes.map((runtime) => ({
        place,
        runtime,
        call: (...args) => buildah(...(args[0] === 'rm' ? ['rm', name] : args)),
        onTerminal: (...args) => place.callOnTerminal([...asUser, 'buildah', ...args]),
        run: ['--runtime', pathOf(runtime), '--isolation', 'oci', '--network', 'none'],
      })),
  })
})
