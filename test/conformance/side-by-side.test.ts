import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, expect } from 'vitest'
import { requires } from '../requirements.ts'
import { type Case, cases, refused } from './cases/index.ts'
import { expected, pending } from './known.ts'
import { type Json, type Laboratory, openLaboratory } from './observe.ts'

/** Debian's runc, or another that the environment names. */
const runc = process.env.RUNC ?? 'runc'
const { describe, test } = requires('root', runc, 'busybox', 'script', 'cgroup1')

const tool = new URL('../../bin/bundle-tool', import.meta.url).pathname
const minor = Number(/version 1\.(\d+)/.exec(spawnSync(runc, ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1])
let laboratory: Laboratory

beforeAll(() => {
  laboratory = openLaboratory()
})
afterAll(() => laboratory.close())

/** Declares a test: of one on the pending list, that it fails; of what this runc has not, that it is skipped. */
function declare(name: string, since: number, body: () => void): void {
  if (since > minor) test.skip(`${name} (needs runc 1.${since})`, body)
  else if (Object.hasOwn(pending, name)) test.fails(`${name} (pending: ${pending[name]})`, body)
  else test(name, body)
}

function compare(name: string, { config, status, ...options }: Case): void {
  const theirs = laboratory.observe(runc, config, options)
  // With a terminal, what the runtime says is in what the container says.
  expect([theirs.stderr, ...(theirs.sections.output ?? [])].join('\n')).not.toMatch(/level=error|ERRO\[/)
  const ours = laboratory.observe(tool, config, options)
  expect({ ...ours, stderr: '' }, ours.stderr).toEqual({ ...expected(theirs, name, minor), stderr: '' })
  if (status !== undefined) expect(ours.status).toBe(status)
  expect(ours.left).toEqual([])
}

function compareRefusals(config: Json): void {
  const theirs = laboratory.observe(runc, config)
  expect(theirs.status, theirs.stderr).not.toBe(0)
  const ours = laboratory.observe(tool, config)
  expect(ours.status).not.toBe(0)
  expect(ours.stderr).toMatch(/level=error msg=/)
  expect(ours.sections).toEqual({ mountinfo: [], output: [''] })
  expect(ours.left).toEqual([])
}

describe('the same bundle looks the same from inside under runc and under bundle-tool', () => {
  for (const [name, it] of Object.entries(cases)) declare(name, it.since ?? 0, () => compare(name, it))
})

describe('what runc refuses, bundle-tool refuses', () => {
  for (const [name, entry] of Object.entries(refused)) {
    const [since, config] = Array.isArray(entry) ? (entry as [number, Json]) : [0, entry as Json]
    declare(name, since, () => compareRefusals(config))
  }
})
