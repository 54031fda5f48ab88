import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { requires } from '../requirements.ts'
import { inBoth } from './both.ts'

/** Compares events in Node.js and in the interpreter: timers, processes, signals, sockets, and what is read. */
const { test } = requires('interpreter')

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'interpreter-events-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

function expectSame(body: string, options: Parameters<typeof inBoth>[1] = {}): unknown {
  const { node, interpreter } = inBoth(body, options)
  expect(interpreter).toEqual(node)
  return node
}

describe('timers and promises', () => {
  test('come in their order, and each promise before the next timer', () => {
    const order = expectSame(`
      const order = []
      const later = (name, ms) => new Promise((resolve) => setTimeout(() => {
        order.push(name)
        Promise.resolve().then(() => order.push(name + ', then'))
        resolve()
      }, ms))
      const taken = setTimeout(() => order.push('never'), 5)
      const all = [later('third', 60), later('first', 1), later('second', 30)]
      clearTimeout(taken)
      clearTimeout(undefined)
      order.push('now')
      await Promise.all(all)
      return order`)
    expect(order).toEqual(['now', 'first', 'first, then', 'second', 'second, then', 'third', 'third, then'])
  })

  test('a wait has a value, and an abort ends it', () => {
    expectSame(`
      const { setTimeout: sleep } = require('node:timers/promises')
      const controller = new AbortController()
      setTimeout(() => controller.abort(new Error('enough')), 5)
      const describe = ({ name, code, message, cause }) => [name, code, message, String(cause)]
      return [
        await sleep(1, 'value'),
        await sleep(1000, undefined, { signal: controller.signal }).catch(describe),
        await sleep(1000, undefined, { signal: controller.signal }).catch(describe),
        controller.signal.aborted, String(controller.signal.reason),
        attempt(() => controller.signal.throwIfAborted()).name,
      ]`)
  })

  test('what is not waited for keeps nothing alive', () => {
    const start = performance.now()
    expectSame(`setTimeout(() => {}, 30_000).unref(); return 1`)
    expect(performance.now() - start).toBeLessThan(20_000)
  })

  test('listeners of an abort hear of it once, or not any more', () => {
    expectSame(`
      const heard = []
      const { signal } = Object.assign(globalThis, { controller: new AbortController() }).controller
      const gone = () => heard.push('gone')
      signal.addEventListener('abort', gone)
      signal.addEventListener('abort', ({ type }) => heard.push(type), { once: true })
      signal.removeEventListener('abort', gone)
      controller.abort('one')
      controller.abort('two')
      return [heard, signal.reason]`)
  })
})

test('an emitter calls its listeners in their order', () => {
  expectSame(`
    const { EventEmitter } = require('node:events')
    const emitter = new EventEmitter()
    const heard = []
    const gone = () => heard.push('gone')
    emitter.on('a', (x) => heard.push(['on', x])).once('a', (x) => heard.push(['once', x])).on('a', gone)
    emitter.off('a', gone)
    return [emitter.listenerCount('a'), emitter.emit('a', 1), emitter.emit('a', 2), emitter.emit('b'), heard,
      attempt(() => emitter.emit('error', new TypeError('x'))).name,
      emitter.removeAllListeners('a').listenerCount('a')]`)
})

describe('processes', () => {
  const ended = `const ended = (child) => new Promise((resolve) => {
    const said = ['', '']
    child.stdout?.on('data', (chunk) => { said[0] += chunk.toString() })
    child.stderr?.on('data', (chunk) => { said[1] += chunk.toString() })
    const happened = []
    child.on('exit', (...how) => happened.push(['exit', ...how]))
    child.on('error', ({ message, code, syscall }) => resolve(['error', message, code, syscall, child.pid]))
    child.on('close', (...how) => resolve([...happened, ['close', ...how], said, child.killed]))
  })
  const { spawn } = require('node:child_process')`

  test('end with an exit code or by a signal, and what they say arrives', () => {
    const [first] = expectSame(
      `${ended}
      return [
        await ended(spawn('sh', ['-c', 'echo out; echo err >&2; exit 7'])),
        await ended(spawn('/bin/sh', ['-c', 'kill -TERM $$'])),
        await ended(spawn('sh', ['-c', 'echo $0 $PWD $A'], { argv0: 'name', cwd: '/', env: { A: 'b', PATH: '/bin:/usr/bin' } })),
        await ended(spawn('sh', ['-c', 'exec sleep 100'], { timeout: 20, killSignal: 'SIGKILL' })),
        await ended(spawn('sh', ['-c', 'head -c 300000 /dev/zero | tr "\\\\0" x'])).then(([, , said]) => said[0].length),
        await ended(spawn('nonexistent', ['a'])),
        await ended(spawn('/etc/passwd', [])),
        await ended(spawn('sh', ['-c', 'echo lost'], { stdio: ['ignore', 'ignore', 'ignore'] })),
      ]`,
      { env: { PATH: '/usr/bin:/bin' } },
    ) as readonly unknown[]
    expect(first).toEqual([['exit', 7, null], ['close', 7, null], ['out\n', 'err\n'], false])
  })

  test('get what is written to them, and its end', () => {
    expectSame(
      `${ended}
      const cat = spawn('cat', [])
      const done = ended(cat)
      cat.stdin.write('a'.repeat(200_000))
      cat.stdin.end('b')
      const deaf = spawn('true', [])
      deaf.stdin.on('error', () => undefined).end('x'.repeat(300_000))
      const [[, , said], [exit]] = await Promise.all([done, ended(deaf)])
      return [said[0].length, said[0].at(-1), exit]`,
      { env: { PATH: '/usr/bin:/bin' } },
    )
  })

  test('have the descriptors that they are given, and no others', () => {
    const [listed] = expectSame(
      `${ended}
      const { openSync, closeSync } = require('node:fs')
      const [one, two] = [openSync('/dev/null', 'r'), openSync('/etc/hostname', 'r')]
      const show = 'for fd in /proc/self/fd/*; do readlink $fd; done | grep -v /proc/'
      const child = spawn('sh', ['-c', show + '; cat <&3; echo report >&5'], { stdio: ['ignore', 'pipe', 'inherit', two, one, 'pipe'] })
      let report = ''
      child.stdio[5].on('data', (chunk) => { report += chunk })
      const [, , said] = await ended(child)
      closeSync(one)
      return [said[0].replaceAll(/\\[\\d+\\]/g, ''), report]`,
      { env: { PATH: '/usr/bin:/bin' } },
    ) as readonly string[]
    expect(listed).toContain('/etc/hostname')
  })

  test('in a session of their own, with signals as by default', () => {
    expectSame(
      `${ended}
      process.on('SIGUSR1', () => undefined)
      const show = 'grep -E "Sig(Blk|Ign|Cgt)" /proc/self/status; ps -o sid= -p $$ | tr -d " " | sed "s/^$$\\$/own/; s/^[0-9]*\\$/other/"'
      const own = await ended(spawn('sh', ['-c', show], { detached: true }))
      const shared = await ended(spawn('sh', ['-c', show]))
      process.removeAllListeners('SIGUSR1')
      return [own, shared]`,
      { env: { PATH: '/usr/bin:/bin' } },
    )
  })

  test('can be sent signals until they have ended', () => {
    expectSame(
      `${ended}
      const child = spawn('sleep', ['100'])
      const sent = [child.kill(0), child.kill('SIGINT')]
      const how = await ended(child)
      return [sent, how, child.kill('SIGTERM')]`,
      { env: { PATH: '/usr/bin:/bin' } },
    )
  })
})

describe('signals', () => {
  test('call who listens, and do nothing else', () => {
    expectSame(`
      const { setTimeout: sleep } = require('node:timers/promises')
      const heard = []
      const on = (name) => heard.push(name)
      process.on('SIGTERM', on).once('SIGUSR2', on).on('SIGTERM', on)
      process.kill(process.pid, 'SIGTERM')
      process.kill(process.pid, 'SIGUSR2')
      for (let tries = 0; heard.length < 3 && tries < 500; tries++) await sleep(2)
      process.off('SIGTERM', on)
      const left = process.listenerCount('SIGTERM')
      process.kill(process.pid, 'SIGTERM')
      for (let tries = 0; heard.length < 4 && tries < 500; tries++) await sleep(2)
      process.removeAllListeners('SIGTERM')
      return [heard.sort(), left]`)
  })

  test('do what they do by default when nobody listens any more', () => {
    const body = `
      const { spawn } = require('node:child_process')
      process.on('SIGUSR1', () => undefined).removeAllListeners('SIGUSR1')
      process.kill(process.pid, 'SIGUSR1')
      await new Promise((resolve) => setTimeout(resolve, 5000))`
    expect(() => inBoth(body)).toThrow('node: SIGUSR1')
    expect(() => inBoth(body, { only: 'interpreter' })).toThrow('interpreter: SIGUSR1')
  })
})

describe('unix sockets', () => {
  let server: Server
  const path = (): string => join(directory, 'socket')
  beforeEach(async () => {
    server = createServer((socket) => {
      socket.on('data', (bytes) => socket.write(bytes.toString().toUpperCase()))
      socket.on('error', () => undefined)
      socket.write('hello ')
    })
    await new Promise<void>((resolve) => server.listen(path(), resolve))
  })
  afterEach(() => server.close())
  const talk = `const { createConnection } = require('node:net')
    const happen = (socket, act) => new Promise((resolve) => {
      const happened = []
      let text = ''
      socket.on('error', ({ message, code, syscall }) => happened.push(['error', message, code, syscall]))
      socket.on('end', () => happened.push('end'))
      socket.on('close', () => resolve([...happened, 'close', text]))
      socket.on('data', (bytes) => { text += bytes; act(socket, text) })
    })`

  test('no one listens', () => {
    const [missing] = expectSame(
      `${talk}
      return [await happen(createConnection(input), () => undefined), await happen(createConnection('/etc/passwd'), () => undefined)]`,
      { input: join(directory, 'nobody') },
    ) as readonly unknown[]
    expect(missing).toEqual([
      ['error', `connect ENOENT ${join(directory, 'nobody')}`, 'ENOENT', 'connect'],
      'close',
      '',
    ])
  })

  test('bytes go to and fro until one side has enough', async () => {
    const { inBothAtOnce } = await import('./both.ts')
    const { node, interpreter } = await inBothAtOnce(
      `${talk}
      const socket = createConnection(input)
      socket.write('ab')
      return await happen(socket, (_, text) => text === 'hello AB' ? socket.write('c') : text === 'hello ABC' && socket.end())`,
      { input: path() },
    )
    expect(interpreter).toEqual(node)
    expect(node).toEqual(['end', 'close', 'hello ABC'])
  })
})

test('a file that is watched tells of each change, and of its end', () => {
  expectSame(
    `const { appendFileSync, unlinkSync, watch, writeFileSync } = require('node:fs')
    const { setTimeout: sleep } = require('node:timers/promises')
    writeFileSync(input, '')
    let heard = 0
    const watcher = watch(input, () => heard++).on('error', () => undefined)
    const counts = []
    const until = async (more) => { for (let tries = 0; heard === more && tries < 500; tries++) await sleep(2); counts.push(heard > more) }
    appendFileSync(input, 'x')
    await until(0)
    const before = heard
    unlinkSync(input)
    await until(before)
    watcher.close()
    return [counts, attempt(() => watch(input, () => undefined))]`,
    { input: join(directory, 'watched') },
  )
})

describe('the rest', () => {
  test('facts of the system', () => {
    expectSame(`
      const os = require('node:os')
      const { getSystemErrorMap, getSystemErrorName } = require('node:util')
      return [os.constants.signals, Object.entries(os.constants.errno), os.release(), os.totalmem(),
        [...getSystemErrorMap()].filter(([number]) => number > -3000).sort(([one], [other]) => one - other),
        getSystemErrorName(-13), getSystemErrorName(-122), process.umask(), process.platform, typeof process.hrtime.bigint(), require('node:tty').isatty(0), require('node:process') === process]`)
  })

  test('text is decoded', () => {
    writeFileSync(join(directory, 'bytes'), Buffer.from([0xef, 0xbb, 0xbf, 0x61, 0xff, 0xe2, 0x82, 0x62, 0xf0]))
    expectSame(
      `const bytes = require('node:fs').readFileSync(input)
      return [new TextDecoder().decode(bytes), new TextDecoder('utf8').decode(bytes.subarray(3, 4)),
        attempt(() => new TextDecoder('utf-8', { fatal: true }).decode(bytes)).name,
        attempt(() => new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, 4))).value]`,
      { input: join(directory, 'bytes') },
    )
  })

  test('directories with types, trees that are removed, owners and real paths', () => {
    expectSame(
      `const fs = require('node:fs')
      const promises = require('node:fs/promises')
      const at = (name) => input + '/' + name
      fs.mkdirSync(at('d')); fs.mkdirSync(at('d/e')); fs.writeFileSync(at('d/e/f'), 'x'); fs.writeFileSync(at('g'), 'y', { flag: 'wx', mode: 0o600, flush: true })
      const kinds = (entry) => [entry.name, entry.parentPath, entry.isDirectory(), entry.isFile(), entry.isSymbolicLink(), entry.isSocket(), entry.isFIFO(), entry.isBlockDevice(), entry.isCharacterDevice()]
      const sorted = (entries) => entries.map(kinds).sort()
      const strip = ({ value, ...error }) => [value, error.code]
      const result = [sorted(fs.readdirSync(input, { withFileTypes: true })), sorted(fs.readdirSync('/dev', { withFileTypes: true }).filter(({ name }) => ['null', 'fd'].includes(name))),
        attempt(() => fs.writeFileSync(at('g'), 'z', { flag: 'wx' })), strip(attempt(() => fs.rmSync(at('none')))), attempt(() => fs.rmSync(at('none'), { force: true })),
        attempt(() => fs.rmSync(at('d'), { recursive: true })), fs.existsSync(at('d')), attempt(() => fs.rmSync(at('none'), { recursive: true, force: true })),
        attempt(() => fs.unlinkSync(at('none'))), attempt(() => fs.chownSync(at('g'), process.geteuid(), process.getegid())), fs.realpathSync(at('../' + input.split('/').at(-1) + '/g')) === fs.realpathSync(at('g')),
        await promises.readdir(input), await promises.readFile(at('g'), 'utf8'), await promises.stat(at('none')).catch(({ message, code }) => [message, code]),
        (await promises.statfs(input)).type]
      await promises.rm(at('g'))
      return result`,
      { input: directory },
    )
  })

  test('bytes in hexadecimal, a part of them, and numbers in them', () => {
    expectSame(`
      const bytes = Buffer.from([0, 1, 254, 255, 10, 13, 10, 200])
      return [bytes.toString('hex'), bytes.toString('hex', 1, 3), bytes.toString('latin1', 4, 100), bytes.toString('latin1', 5, 2), bytes.indexOf('\\r\\n'), bytes.indexOf(255), bytes.indexOf('x'),
        bytes.readUInt32LE(0), bytes.readInt32LE(4), require('node:crypto').randomBytes(6).length, require('node:path').posix.normalize('a//b/'), require('node:path').delimiter]`)
  })
})
