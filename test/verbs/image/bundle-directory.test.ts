import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeBundleDirectory } from '../../../src/verbs/image/bundle-directory.ts'

let parent: string
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'bundle-'))
})
afterEach(() => rmSync(parent, { recursive: true }))

const fill = (text: string) => async (directory: string) => writeFileSync(join(directory, 'config.json'), text)
const content = (name = 'b') => readFileSync(join(parent, name, 'config.json'), 'utf8')
const out = () => join(parent, 'b')

test('the bundle appears when it is whole, and only then', async () => {
  await makeBundleDirectory({ out: out() }, async (directory) => {
    await fill('new')(directory)
    expect(existsSync(out())).toBe(false)
  })
  expect(content()).toBe('new')
  expect(readdirSync(parent)).toEqual(['b'])
})

test('after a failure nothing is left', async () => {
  const failing = async (directory: string) => {
    await fill('half')(directory)
    throw new Error('no')
  }
  await expect(makeBundleDirectory({ out: out() }, failing)).rejects.toThrow('no')
  expect(readdirSync(parent)).toEqual([])
})

test('what is there is refused, and replaced by force', async () => {
  await makeBundleDirectory({ out: out() }, fill('old'))
  await expect(makeBundleDirectory({ out: out() }, fill('new'))).rejects.toMatchObject({ code: 'ERR_BUNDLE_EXISTS' })
  expect(content()).toBe('old')
  await makeBundleDirectory({ out: out(), force: true }, fill('new'))
  expect(content()).toBe('new')
  expect(readdirSync(parent)).toEqual(['b'])
})

test('a failure with force keeps the old bundle', async () => {
  await makeBundleDirectory({ out: out() }, fill('old'))
  const failing = async () => {
    throw new Error('no')
  }
  await expect(makeBundleDirectory({ out: out(), force: true }, failing)).rejects.toThrow('no')
  expect(content()).toBe('old')
})

test('force does not replace what is no bundle', async () => {
  mkdirSync(out())
  writeFileSync(join(out(), 'thesis.txt'), 'dear')
  for (const place of [out(), join(out(), 'thesis.txt')]) {
    await expect(makeBundleDirectory({ out: place, force: true }, fill('new'))).rejects.toMatchObject({
      code: 'ERR_BUNDLE_EXISTS',
    })
  }
  expect(readFileSync(join(out(), 'thesis.txt'), 'utf8')).toBe('dear')
})

test('of two at once one wins and the other is told', async () => {
  const results = await Promise.allSettled(['1', '2'].map((text) => makeBundleDirectory({ out: out() }, fill(text))))
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  expect(readdirSync(parent)).toEqual(['b'])
})

test('what a killed process left is removed, and an old bundle without successor put back', async () => {
  const dead = '999999999-1'
  mkdirSync(join(parent, `.b.partial-${dead}-abcdef`))
  mkdirSync(join(parent, `.c.partial-${dead}-abcdef`))
  mkdirSync(join(parent, `.b.old-${dead}`))
  writeFileSync(join(parent, `.b.old-${dead}`, 'config.json'), 'old')
  await expect(makeBundleDirectory({ out: out() }, fill('new'))).rejects.toMatchObject({ code: 'ERR_BUNDLE_EXISTS' })
  expect(content()).toBe('old')
  expect(readdirSync(parent).sort()).toEqual([`.c.partial-${dead}-abcdef`, 'b'])
})
