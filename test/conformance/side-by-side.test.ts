import { afterAll, beforeAll, expect } from 'vitest'
import { requires } from '../requirements.ts'
import { type Case, cases, refused, sharedRoot } from './cases.ts'
import { expected, pending } from './known.ts'
import { type Json, type Laboratory, openLaboratory } from './observe.ts'

const { describe, test } = requires('root', 'runc', 'busybox', 'script', 'cgroup1')

const tool = new URL('../../bin/bundle-tool', import.meta.url).pathname
let laboratory: Laboratory

beforeAll(() => {
  laboratory = openLaboratory()
})
afterAll(() => laboratory.close())

/** Declares a test; of one on the pending list, that it fails. */
function declare(name: string, body: () => void): void {
  if (Object.hasOwn(pending, name)) test.fails(`${name} (pending: ${pending[name]})`, body)
  else test(name, body)
}

function compare({ config, status, ...options }: Case): void {
  const theirs = laboratory.observe('runc', config, options)
  expect(theirs.stderr).not.toContain('level=error')
  const ours = laboratory.observe(tool, config, options)
  expect({ ...ours, stderr: '' }, ours.stderr).toEqual({ ...expected(theirs), stderr: '' })
  if (status !== undefined) expect(ours.status).toBe(status)
  expect(ours.left).toEqual([])
}

function compareRefusals(config: Json): void {
  const theirs = laboratory.observe('runc', config)
  expect(theirs.status, theirs.stderr).not.toBe(0)
  const ours = laboratory.observe(tool, config)
  expect(ours.status).not.toBe(0)
  expect(ours.stderr).toMatch(/level=error msg=/)
  expect(ours.sections).toEqual({ mountinfo: [], output: [''] })
  expect(ours.left).toEqual([])
}

describe('the same bundle looks the same from inside under runc and under bundle-tool', () => {
  for (const [name, it] of Object.entries(cases)) declare(name, () => compare(it))
})

describe('what runc refuses, bundle-tool refuses', () => {
  for (const [name, config] of Object.entries(refused)) declare(name, () => compareRefusals(config))
})

test('a shared root is shared', () => {
  const [root] = laboratory.observe(tool, sharedRoot.config).sections.mountinfo ?? []
  expect(root).toMatch(/ \/ ro,relatime shared - /)
})
