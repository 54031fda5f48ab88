import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { explainProgram, formatExplanation } from '../../src/program/explain.ts'
import { compileGolden, goldenCases, goldenDirectory } from './golden-cases.ts'

test.each(Object.entries(goldenCases))('%s compiles to the program in its program.txt', (name) => {
  const listing = formatExplanation(explainProgram(compileGolden(name)))
  const golden = join(goldenDirectory, name, 'program.txt')
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(golden, listing)
  expect(listing).toBe(existsSync(golden) ? readFileSync(golden, 'utf8') : '')
})

test('every directory of fixtures/programs is a case', () => {
  const found = readdirSync(goldenDirectory, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  expect(found.map(({ name }) => name).sort()).toEqual(Object.keys(goldenCases).sort())
})
