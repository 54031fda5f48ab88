import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getSystemErrorMap } from 'node:util'
import * as esbuild from 'esbuild'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { makeFileSystem } from '../../src/interpreter/file-system.ts'
import { makePathModule } from '../../src/interpreter/path.ts'
import { systemError } from '../../src/interpreter/system-error.ts'
import { requires } from '../requirements.ts'
import { inBoth } from './both.ts'
import { randomNumbers } from './random.ts'

const { test } = requires('interpreter')

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'interpreter-modules-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const random = randomNumbers(1)
const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
const several = <T>(most: number, make: () => T): T[] => Array.from({ length: Math.floor(random() * (most + 1)) }, make)

const letters = [
  'a',
  'Z',
  '0',
  ' ',
  '\n',
  '\0',
  '\x7f',
  'é',
  'ß',
  '€',
  '\ufeff',
  '\ufffd',
  '😀',
  '\ud83d',
  '\ude00',
  '\udc80',
  '\uffff',
]
const texts = Array.from({ length: 400 }, () => several(12, () => pick(letters)).join(''))

/** Both ways do the same. */
function expectSame(body: string, options: Parameters<typeof inBoth>[1] = {}): unknown {
  const { node, interpreter } = inBoth(body, options)
  expect(interpreter).toEqual(node)
  return node
}

test('isIP of node:net', () => {
  const parts = ['', '0', '1', '255', '256', '01', 'ffff', 'fffff', 'g', '1.2.3.4', '%eth0', '%']
  const made = Array.from({ length: 3000 }, () => several(9, () => pick(parts)).join(pick([':', ':', '.', '::'])))
  const known = [
    '1.2.3.4',
    '::',
    '::1',
    'fe80::1%eth0',
    '1::2::3',
    '1:2:3:4:5:6:7:8',
    '1:2:3:4:5:6:1.2.3.4',
    '::1.2.3.4:5',
    '1::%',
  ]
  expectSame(`return input.map(require('node:net').isIP)`, { input: [...made, ...known] })
})

describe('node:path', () => {
  const parts = ['', '.', '..', 'a', 'bc', '...', 'a.b', ' ', 'ä', '..a', '/', '//']
  const paths = Array.from({ length: 2000 }, () => several(6, () => pick(parts)).join(pick(['/', '/', '//', ''])))

  test('basename without a suffix', () => {
    const names = ['/a/b.js', 'b.js', '.js', 'a.js/', 'b.j', '', '/', 'js', 'a.js.js', '/x/.js/']
    expectSame(
      `const { basename } = require('node:path'); return input.map((name) => [basename(name, '.js'), basename(name, '')])`,
      { input: names },
    )
  })

  test.each(['normalize', 'dirname', 'basename', 'resolve'])('%s', (name) => {
    const body = `const { ${name} } = require('node:path'); return input.map((path) => ${name}(path))`
    expectSame(body, { input: paths, cwd: directory })
  })

  test.each(['join', 'resolve'])('%s of several', (name) => {
    const input = Array.from({ length: 2000 }, () => several(4, () => pick(paths)))
    expectSame(`const { ${name} } = require('node:path'); return input.map((words) => ${name}(...words))`, { input })
  })
})

describe('Buffer and TextEncoder', () => {
  test('a text is the same bytes, and bytes are the same text', () => {
    expectSame(
      `return input.map((text) => [
        [...Buffer.from(text)], Buffer.byteLength(text), [...new TextEncoder().encode(text)], Buffer.from(text).toString(),
        Buffer.from(text).toString('latin1'), Buffer.from(text).toString('base64'),
      ])`,
      { input: texts },
    )
    const bytes = Array.from({ length: 1000 }, () =>
      several(10, () => pick([0, 0x41, 0x80, 0xbf, 0xc0, 0xc3, 0xe2, 0xed, 0xa0, 0xf0, 0x9f, 0xf4, 0xff])),
    )
    expectSame(`return input.map((bytes) => Buffer.from(bytes).toString('utf8'))`, { input: bytes })
  })

  test('a text is written as far as whole characters have room', () => {
    const input = texts.map((text) => [text, Math.floor(random() * 20), Math.floor(random() * 4)])
    expectSame(
      `return input.map(([text, size, offset]) => {
        const [to, other] = [Buffer.alloc(size + offset), new Uint8Array(size)]
        const { read, written } = new TextEncoder().encodeInto(text, other)
        return [to.write(text, offset), [...to], read, written, [...other.subarray(0, written)]]
      })`,
      { input },
    )
  })

  test('base64 is read', () => {
    const digits = [...'ABCDwxyz0189+/-_= \n', 'é']
    const input = Array.from({ length: 1000 }, () => several(14, () => pick(digits)).join(''))
    expectSame(`return input.map((text) => [...Buffer.from(text, 'base64')])`, { input })
  })

  test('arrays of bytes are made, joined and cut', () => {
    const input = Array.from({ length: 300 }, () => [
      several(4, () => several(5, () => Math.floor(random() * 256))),
      Math.floor(random() * 12),
    ])
    expectSame(
      `return input.map(([lists, size]) => {
        const parts = lists.map((list) => Buffer.from(list))
        const whole = Buffer.concat(parts)
        const view = Buffer.from(new Uint8Array(whole).buffer, Math.min(1, whole.length), Math.max(0, whole.length - 2))
        return [[...whole], [...Buffer.concat(parts, size)], [...Buffer.from(whole)], whole.subarray(1, 3).toString('latin1'), [...view],
          whole.copy(whole.subarray(2), 1), [...whole], whole.indexOf(7), Buffer.alloc(3).length, Buffer.allocUnsafe(4).length]
      })`,
      { input },
    )
  })

  test('numbers are written, and refused where they have no room', () => {
    expectSame(
      `const names = { writeUInt16LE: [0, 1, 65535, 65536, -1], writeUInt32LE: [0, 2 ** 31, 2 ** 32 - 1, 2 ** 32, -1] }
      const numbers = Object.entries(names).flatMap(([name, values]) => values.flatMap((value) => [0, 3, 6].map((at) => {
        const to = Buffer.alloc(8)
        const { value: end, name: error } = attempt(() => to[name](value, at))
        return [end, error, [...to]]
      })))
      const long = [0n, 2n ** 64n - 1n, 2n ** 64n, -1n].map((value) => {
        const to = Buffer.alloc(9)
        return [attempt(() => to.writeBigUInt64LE(value, 1)).name, [...to]]
      })
      return [numbers, long]`,
    )
  })
})

describe('node:fs', () => {
  const names = [
    'file',
    'big',
    'empty',
    'dir',
    'dir/inner',
    'link',
    'dangling',
    'loop',
    'dir-link',
    'fifo',
    'socket',
    'none',
    'file/below',
    'none/below',
    'ä\ufffd',
    'a\0b',
    'x'.repeat(300),
  ]

  beforeEach(() => {
    const at = (name: string) => join(directory, name)
    writeFileSync(at('file'), 'content')
    writeFileSync(at('big'), 'ab\nc'.repeat(50_000))
    writeFileSync(at('empty'), '', { mode: 0o640 })
    writeFileSync(at('ä\ufffd'), 'ä')
    mkdirSync(at('dir'))
    for (const name of ['inner', 'b', 'B', 'é', '10', '9']) writeFileSync(at(`dir/${name}`), name)
    for (const [name, target] of [
      ['link', 'file'],
      ['dangling', 'none'],
      ['loop', 'loop'],
      ['dir-link', 'dir'],
    ] as const)
      symlinkSync(target, at(name))
    execFileSync('mkfifo', [at('fifo')])
    chmodSync(at('file'), 0o4711)
  })

  test.each(['statSync', 'lstatSync'])('%s: facts, kinds, and that nothing is there', (name) => {
    const fields = [
      'dev',
      'ino',
      'mode',
      'nlink',
      'uid',
      'gid',
      'rdev',
      'size',
      'blksize',
      'blocks',
      'atimeMs',
      'mtimeMs',
      'ctimeMs',
    ]
    const kinds = ['isFile', 'isDirectory', 'isFIFO', 'isSocket', 'isSymbolicLink']
    expectSame(
      `const { ${name}: look } = require('node:fs')
      const facts = (stat, more) => stat && [...${JSON.stringify(fields)}, ...more].map((name) => stat[name]).concat(${JSON.stringify(kinds)}.map((kind) => stat[kind]()))
      return [...input, '/dev/null'].map((path) => [
        attempt(() => facts(look(path), [])),
        attempt(() => facts(look(path, { bigint: true }), ['atimeNs', 'mtimeNs', 'ctimeNs'])),
        attempt(() => facts(look(path, { throwIfNoEntry: false }), [])),
      ])`,
      { input: names, cwd: directory },
    )
  })

  test('what is read', () => {
    expectSame(
      `const fs = require('node:fs')
      return input.filter((path) => path !== 'fifo').map((path) => [
        attempt(() => fs.readFileSync(path, 'utf8').length), attempt(() => fs.readFileSync(path).length),
        attempt(() => fs.readlinkSync(path)), attempt(() => [...fs.readlinkSync(path, { encoding: 'buffer' })]),
        attempt(() => fs.readdirSync(path)), attempt(() => fs.existsSync(path)), attempt(() => fs.accessSync(path, fs.constants.X_OK)),
        attempt(() => fs.accessSync(path)), attempt(() => fs.closeSync(fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW))),
        attempt(() => { const { type, bsize, blocks } = fs.statfsSync(path); return { type, bsize, blocks } }),
      ]).concat(fs.readFileSync('/proc/self/uid_map', 'utf8'))`,
      { input: names, cwd: directory },
    )
  })

  test('by descriptor, and at a place', () => {
    expectSame(
      `const fs = require('node:fs')
      const fd = fs.openSync('big')
      const to = Buffer.alloc(10)
      const facts = fs.fstatSync(fd)
      const read = [fs.readSync(fd, to, 2, 3, null), fs.readSync(fd, to, 5, 5, 1), fs.readSync(fd, to, 0, 1, 1e9), [...to], facts.size, facts.isFile()]
      fs.closeSync(fd)
      return [read, attempt(() => fs.closeSync(999)), attempt(() => fs.fstatSync(999)), attempt(() => fs.readSync(999, to, 0, 1, null)), attempt(() => fs.writeSync(999, to))]`,
      { cwd: directory },
    )
  })

  test('what is written', () => {
    expectSame(
      `const fs = require('node:fs')
      const place = process.env.RESULT + '-place'
      const at = (name) => place + '/' + name
      fs.mkdirSync(place)
      fs.mkdirSync(at('dir'))
      for (const name of ['file', 'empty', 'dir/inner']) fs.writeFileSync(at(name), name)
      const results = input.flatMap((name) => [
        attempt(() => fs.writeFileSync(at(name), 'new', { mode: 0o600 })),
        attempt(() => fs.appendFileSync(at(name), Buffer.from('er'), { mode: 0o604 })),
        attempt(() => fs.appendFileSync(Buffer.from(at(name + '-log')), 'line', { mode: 0o604 })),
        attempt(() => fs.mkdirSync(at(name + '-made'), { mode: 0o710 })),
        attempt(() => fs.chmodSync(at(name), 0o640)),
        attempt(() => fs.renameSync(at(name), at(name + '-moved'))),
        attempt(() => fs.rmdirSync(at(name + '-made'))),
        attempt(() => fs.rmdirSync(at(name))),
      ])
      fs.rmSync(at('file-moved'))
      fs.rmSync(at('file-moved'), { force: true })
      const { code } = attempt(() => fs.rmSync(at('file-moved')))
      const left = fs.readdirSync(place).map((name) => {
        const { mode, size } = fs.lstatSync(at(name))
        return [name, mode, size, attempt(() => fs.readFileSync(at(name), 'latin1')).value]
      })
      return JSON.parse(JSON.stringify([results, code, left]).replaceAll(place, 'PLACE'))`,
      { input: names },
    )
  })
})

describe('process', () => {
  test('its words, variables, directory and identity', () => {
    const env = { A: 'b', EMPTY: '', 'WITH=SIGN': 'a=b', TEXT: 'ä\n😀', __proto__x: '1' }
    const answer = expectSame(
      `const { RESULT, ...env } = process.env
      return [env, process.cwd(), process.arch, process.geteuid(), process.getegid(), process.pid > 1, process.ppid,
        process.env.NOTHING, process.env.toString === undefined || typeof process.env.toString === 'function',
        attempt(() => process.kill(2 ** 22 + 1, 0)), attempt(() => process.kill(process.pid, 0))]`,
      { env, cwd: directory },
    )
    expect((answer as readonly unknown[])[0]).toMatchObject({ A: 'b', TEXT: 'ä\n😀' })
  })

  test('it waits', () => {
    const body = `const { setTimeout } = require('node:timers/promises')
      const start = Date.now()
      await setTimeout(30)
      return Date.now() - start >= 29`
    expect(expectSame(body)).toBe(true)
  })
})

test('errors of the system have the words of Node.js', () => {
  const known = getSystemErrorMap()
  const failed = { syscall: 'open', path: '/a' }
  for (const [errno, [code, text]] of known) {
    if (errno < -200) continue // of libuv alone
    expect(systemError(errno, failed)).toMatchObject({ errno, code, message: `${code}: ${text}, open '/a'`, ...failed })
  }
  expect(systemError(-133, { syscall: 'read' }).message).toBe(
    'Unknown system error -133: Unknown system error -133, read',
  )
  const renamed = systemError(-2, { syscall: 'rename', path: '/a', dest: '/b' })
  expect(renamed.message).toBe("ENOENT: no such file or directory, rename '/a' -> '/b'")
})

test('all that the compiler asks for is there', async () => {
  const bundle = await textOfCompiler()
  const nothing = () => undefined as never
  const modules: Readonly<Record<string, object>> = {
    fs: makeFileSystem({} as never, {} as never, process.arch),
    path: makePathModule(nothing),
    'timers/promises': { setTimeout: nothing },
  }
  const asked = [...bundle.matchAll(/\b([\w$]+)=require\("node:([\w/]+)"\)/g)]
  expect(new Set(asked.map(([, , name]) => name))).toEqual(new Set(['fs', 'path']))
  expect(new Set([...bundle.matchAll(/require\("node:([^"]+)"\)/g)].map(([, name]) => name))).toEqual(
    new Set(Object.keys(modules)),
  )
  const members = asked.flatMap(([, variable = '', name = '']) =>
    [...bundle.matchAll(new RegExp(`\\(0,${variable.replaceAll('$', '\\$')}\\.(\\w+)\\)`, 'g'))].map(
      ([, member = '']) => [name, member] as const,
    ),
  )
  expect(members.length).toBeGreaterThan(30)
  for (const [name, member] of members) expect(modules[name], `${name}.${member}`).toHaveProperty(member)
})

/** The compiler's part of the command line. */
async function textOfCompiler(): Promise<string> {
  const { outputFiles } = await esbuild.build({
    entryPoints: ['src/cli/compiler.ts'],
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    minify: true,
    external: ['*/systemd-manager.ts', '*/seccomp/filter.ts'], // which are modules of their own
    supported: { 'dynamic-import': false },
    define: { bundleToolBuild: '""', bundleToolBuiltOf: '{}', 'import.meta.dirname': '""' },
  })
  return outputFiles.map(({ text }) => text).join('')
}
