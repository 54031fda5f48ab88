import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runtimeConfig } from '../../../src/oci/runtime-config.ts'
import { fieldsOf } from '../../config-fields.ts'

const tests = join(import.meta.dirname, '../..')

/** The pointers in a title: `/a/{b,c}` is `/a/b` and `/a/c`. */
function pointersIn(title: string): readonly string[] {
  return [...title.matchAll(/(\/[\w/]*)(?:\{([\w,]+)\}([\w/]*))?/g)].flatMap(([, before = '', names, after = '']) =>
    names === undefined ? [before] : names.split(',').map((name) => `${before}${name}${after}`),
  )
}

test('every field of config.json has a test that is named after it, or after what it is part of', () => {
  const sources = ['integration', 'vm'].flatMap((area) =>
    readdirSync(join(tests, area), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => readFileSync(join(tests, area, name), 'utf8')),
  )
  const titles = sources.flatMap((source) =>
    [...source.matchAll(/\(\s*(['"`])(\/.*?)\1,\s*(?:async )?\(/g)].map(([, , title = '']) => title),
  )
  const named = titles.flatMap(pointersIn)
  // Items of lists and members of maps are at that of the list.
  const all = fieldsOf(runtimeConfig).map((field) => field.replaceAll('/*', ''))
  expect(all.length).toBeGreaterThan(100)
  const isNamed = (field: string): boolean => named.some((name) => field === name || field.startsWith(`${name}/`))
  expect(all.filter((field) => !isNamed(field))).toEqual([])
})
