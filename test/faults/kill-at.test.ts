import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { remove } from '../../src/delete.ts'
import { encode } from '../../src/program/encode.ts'
import { compileContainer } from '../../src/runtime/compile-container.ts'
import { findRunner } from '../../src/runtime/runner.ts'
import { buildTool } from '../c-tool.ts'
import { type ConfigChange, ContainerPlace, userNamespace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'gcc')

/** At every so many system calls; FAULTS=1 strikes at all of them. */
const stride = Number(process.env.FAULTS ?? 7)

const toolPath = buildTool(join(import.meta.dirname, 'kill-at.c'))
let place: ContainerPlace
beforeEach(() => {
  process.env.BUNDLE_TOOL_RUNNER ??= join(import.meta.dirname, '../../dist/bundle-tool-runner')
  place = new ContainerPlace()
  mkdirSync(place.root)
})
afterEach(() => place.close())

const hostPids: ConfigChange = { linux: { namespaces: [{ type: 'mount' }, { type: 'uts' }] } }
const hook = (path: string): { path: string; args: string[] } => ({ path, args: [path, '-c', 'cat'] })
const hooks: ConfigChange = {
  config: {
    hooks: { createRuntime: [hook('/bin/sh')], createContainer: [hook('/bin/sh')], startContainer: [hook('/bin/sh')] },
  },
}

/** The runner is process 0, the container's first one process 1. */
const strikes = [
  { what: 'the runner, at its own', watched: 0, victim: 0 },
  { what: "the runner, at the container's", watched: 1, victim: 0 },
  { what: "the container's process, at its own", watched: 1, victim: 1 },
] as const

test.each([
  ['a plain container', {}],
  ['one in a user namespace', userNamespace],
  ["one with the host's processes", hostPids],
  ['one with hooks', hooks],
] as const)(
  '%s: killed at any system call, nothing is left that delete does not clear',
  { timeout: 300_000 },
  async (_, change) => {
    place.giveRootfsTo(change === userNamespace ? 100_000 : 0)
    place.configure('exec sleep 1000', change)
    const { program } = await compileContainer({ id: place.id, bundle: place.bundle, root: place.root }, 'create')
    const image = join(place.directory, 'program')
    writeFileSync(image, encode(program), { mode: 0o600 })
    for (const { what, watched, victim } of strikes) {
      let reached = 0
      for (let at = 1; ; at += stride) {
        const { status, call } = killAt(watched, victim, at, image)
        const where = `${what} ${at}th system call, number ${call}`
        expect(status, where).toBeOneOf([0, 3])
        const force = !existsSync(join(place.root, place.id))
        await remove({ root: place.root, id: place.id, force }).catch((error: unknown) => {
          throw new Error(`${where}: ${error instanceof Error ? error.message : error}`)
        })
        expect(place.leftovers(), where).toEqual([])
        if (status === 3) break
        reached = at
      }
      expect(reached).toBeGreaterThan(50)
    }
  },
)

function killAt(watched: number, victim: number, at: number, image: string): { status: number | null; call: string } {
  const [fd, nowhere] = [openSync(image, 'r'), openSync('/dev/null', 'w')]
  try {
    const command = [String(watched), String(victim), String(at), findRunner(), '3', '4', place.id]
    const { status, stdout } = spawnSync(toolPath(), command, {
      stdio: ['ignore', 'pipe', 'inherit', fd, nowhere],
      timeout: 20_000,
      killSignal: 'SIGKILL',
    })
    return { status, call: stdout.toString().trim() }
  } finally {
    closeSync(fd)
    closeSync(nowhere)
  }
}
