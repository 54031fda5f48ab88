import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { copyTree } from '../../src/runtime/copy-tree.ts'
import { attributes, describeTree } from '../layer/oracle.ts'
import { requires } from '../requirements.ts'

process.env.BUNDLE_TOOL_RUNNER ??= join(import.meta.dirname, '../../dist/bundle-tool-runner')

let top: string
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'copy-'))
  mkdirSync(join(top, 'from'))
})
afterEach(() => rmSync(top, { recursive: true, force: true }))

/** Fills `from` by a shell script. */
const fill = (script: string) => execFileSync('sh', ['-ec', script], { cwd: join(top, 'from') })
const at = (path: string): string => join(top, path)
const copy = () => copyTree(at('from'), at('to'))
const same = () => execFileSync('diff', ['-r', '--no-dereference', at('from'), at('to')])

requires('root', 'getfattr').test('a copy has every kind of file with all that it is', async () => {
  fill(`
    mkdir -p d/e closed; echo text >d/text; chmod 4755 d/text; chown 5:6 d/text; touch -d '1999-01-02 03:04:05.678901234' d/text
    ln d/text d/e/again; ln d/text third; ln -s ../nowhere d/link; chown -h 7:8 d/link; ln d/link link-again
    mknod null c 1 3; chmod 666 null; mkfifo fifo; ln fifo d/fifo-again; chown 9 null
    truncate -s 5M sparse; printf end >>sparse; printf x | dd of=sparse bs=1 seek=100000 conv=notrunc 2>/dev/null
    head -c 3000000 /dev/urandom >large; : >empty; chmod 0 empty
    setfattr -n user.test -v value large; setfattr -n user.empty d; setfattr -n trusted.link -v t -h d/link
    setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 large
    chown 1:2 d; chmod 2750 d; chmod 0 closed; touch -d @1000.5 d closed .`)
  await copy()
  expect(describeTree(at('to'))).toEqual(describeTree(at('from')))
  expect(attributes(at('to'))).toEqual(attributes(at('from')))
  for (const name of ['d/text', 'sparse', 'large']) execFileSync('cmp', [at(`from/${name}`), at(`to/${name}`)])
  expect(statSync(at('to/third')).ino).toBe(statSync(at('to/d/e/again')).ino)
  expect(statSync(at('to/third')).ino).not.toBe(statSync(at('from/third')).ino)
  expect(statSync(at('to/sparse')).blocks * 512).toBeLessThan(1_000_000)
  expect(statSync(at('to')).mtimeMs).toBe(1_000_500)
})

test('several processes share many files, directories and names of files', async () => {
  fill(`for d in $(seq 60); do mkdir -p a$d/b/c; for f in $(seq 20); do echo $d $f >a$d/b/$f; done
    ln a$d/b/1 a$d/b/c/one; ln a$d/b/2 a1/two$d; done`)
  await copy()
  same()
  const names = (place: string) =>
    execFileSync('find', ['.', '-printf', '%P %n %m %T@\n'], { cwd: at(place), encoding: 'utf8' })
      .split('\n')
      .sort()
  expect(names('to')).toEqual(names('from'))
})

test('what is there already is left as it is, and the error says so', async () => {
  mkdirSync(at('to'))
  await expect(copy()).rejects.toMatchObject({
    code: 'ERR_FILE_SYSTEM',
    message: expect.stringMatching(/cannot be copied to .*mkdir: EEXIST$/),
  })
  expect(readdirSync(at('to'))).toEqual([])
})

test('what cannot be read is an error that names the call', async () => {
  await expect(copyTree(at('missing'), at('to'))).rejects.toMatchObject({
    code: 'ERR_FILE_SYSTEM',
    message: expect.stringMatching(/open: ENOENT$/),
  })
})

requires('root').test('a full disk is an error of whichever process meets it', async () => {
  fill('for i in $(seq 40); do head -c 100000 /dev/zero >f$i; done')
  mkdirSync(at('small'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', at('small')])
  try {
    await expect(copyTree(at('from'), at('small/to'))).rejects.toThrow('ENOSPC')
  } finally {
    execFileSync('umount', [at('small')])
  }
  expect(existsSync(at('from/f40'))).toBe(true)
  expect(readFileSync(at('from/f1')).length).toBe(100_000)
})
