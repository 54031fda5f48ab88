import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { ContainerPlace, type Finished } from '../../container.ts'

const tool = join(import.meta.dirname, '../../../dist/bundle-tool')

/** The users that the tests call the tool as: root, and somebody without a name, a home or any right. */
export const callers: readonly (readonly [name: string, uid: number])[] = [
  ['root', 0],
  ['a user without rights', 54_321],
]

type Environment = Readonly<Record<string, string>>

export interface Flagged {
  readonly place: ContainerPlace
  /** Runs a command of the tool as the caller, in the directory of the place. */
  readonly call: (args: readonly string[], env?: Environment) => Finished
  /** Returns the output of a script in a container of the default config.json with these flags, which must end well. */
  readonly see: (flags: readonly string[], script: string, env?: Environment) => string
  /** Returns the error of `spec` for flags that it refuses. */
  readonly refusal: (...flags: readonly string[]) => string
}

/**
 * A place of the caller's own for each test, of which nothing may be left.
 *
 * @param under the words of a command that runs the tool, as root, e.g. in another network namespace
 */
export function openFlagged(uid: number, under: () => readonly string[] = () => []): () => Flagged {
  let place: ContainerPlace
  beforeEach(() => {
    place = new ContainerPlace()
    mkdirSync(place.root)
    mkdirSync(join(place.bundle, 'rootfs/etc'))
    execFileSync('chown', ['-R', `${uid}:${uid}`, place.directory])
  })
  afterEach(async () => {
    const left = place.leftovers()
    await place.close()
    expect(left).toEqual([])
  })
  const call = (args: readonly string[], env: Environment = {}): Finished => {
    const [command = '', ...before] = [...under(), ...asUser(uid, under().length > 0), tool]
    const { status, signal, stdout, stderr } = spawnSync(command, [...before, '--root', place.root, ...args], {
      ...(under().length === 0 && { uid, gid: uid }),
      cwd: place.directory,
      env: { PATH: process.env.PATH ?? '', HOME: place.directory, ...env },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 30_000,
      killSignal: 'SIGKILL',
    })
    return { end: signal ?? status, stdout, stderr }
  }
  const base = ['spec', '-b', 'bundle', '--no-tty', '--no-read-only', ...(uid === 0 ? [] : ['--rootless'])]
  return () => ({
    place,
    call,
    see: (flags, script, env) => {
      expect(call([...base, ...flags, '--', 'sh', '-c', script], env)).toEqual({ end: 0, stdout: '', stderr: '' })
      const { end, stdout, stderr } = call(['run', '-b', 'bundle', place.id])
      expect({ end, stderr }).toEqual({ end: 0, stderr: '' })
      return stdout
    },
    refusal: (...flags) => {
      const { end, stdout, stderr } = call([...base, ...flags])
      expect({ end, stdout }).toEqual({ end: 1, stdout: '' })
      return stderr
    },
  })
}

const asUser = (uid: number, isNeeded: boolean): readonly string[] =>
  isNeeded ? ['setpriv', '--reuid', String(uid), '--regid', String(uid), '--clear-groups'] : []
