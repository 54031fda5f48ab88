import { existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { applyNodeOps } from '../../src/runtime/node-ops.ts'
import { requires } from '../requirements.ts'

let directory = ''
beforeEach(() => {
  process.env.BUNDLE_TOOL_RUNNER ??= join(import.meta.dirname, '../../dist/bundle-tool-runner')
  directory = mkdtempSync(join(tmpdir(), 'node-ops-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const fifo = (path: string | Uint8Array) =>
  ({
    kind: 'mknod',
    path: Buffer.from(path),
    mode: 0o010640,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    major: 0,
    minor: 0,
  }) as const
const times = (path: string) => ({ kind: 'utimens', path: Buffer.from(path), seconds: 7n, nanoseconds: 8 }) as const

test('ops are applied in order, thousands of them in one call', async () => {
  await applyNodeOps(
    directory,
    Array.from({ length: 3000 }, (_, index) => [fifo(`f${index}`), times(`f${index}`)]).flat(),
  )
  expect(lstatSync(join(directory, 'f2999'), { bigint: true })).toMatchObject({
    mode: 0o010640n,
    mtimeNs: 7_000_000_008n,
  })
})

test('paths are bytes, not text', async () => {
  const name = Buffer.from([0x66, 0xff, 0xfe, 0x01, 0x41])
  await applyNodeOps(directory, [fifo(name)])
  expect(existsSync(Buffer.concat([Buffer.from(`${directory}/`), name]))).toBe(true)
})

test('the error of an op names its file, and those before it are applied', async () => {
  await expect(applyNodeOps(directory, [fifo('one'), times('missing'), fifo('two')])).rejects.toMatchObject({
    code: 'ERR_SYSCALL',
    message: expect.stringContaining('missing'),
  })
  expect([existsSync(join(directory, 'one')), existsSync(join(directory, 'two'))]).toEqual([true, false])
})

test('no op leaves the rootfs by a link', async () => {
  mkdirSync(join(directory, 'rootfs'))
  writeFileSync(join(directory, 'outside'), '')
  symlinkSync('..', join(directory, 'rootfs/up'))
  for (const path of ['up/made', '../made', 'up/outside']) {
    await expect(applyNodeOps(join(directory, 'rootfs'), [fifo(path)])).rejects.toMatchObject({ code: 'ERR_SYSCALL' })
  }
  expect(existsSync(join(directory, 'made'))).toBe(false)
})

requires('root').test('devices have their exact mode, owner and number', async () => {
  await applyNodeOps(directory, [
    { kind: 'mknod', path: Buffer.from('dev'), mode: 0o062770, uid: 3, gid: 4, major: 8, minor: 300 },
  ])
  expect(lstatSync(join(directory, 'dev'))).toMatchObject({ mode: 0o062770, uid: 3, gid: 4, rdev: 0x10082c })
})
