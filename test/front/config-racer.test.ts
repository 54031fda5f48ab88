import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'python3')

const front = join(import.meta.dirname, '../../bin/bundle-tool')
const env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` }
/** The number of races in each test; CONTRIBUTING.md's table has CONFIG_RACES=1000. */
const races = Number(process.env.CONFIG_RACES ?? '40')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

const configFile = (): string => join(place.bundle, 'config.json')

/** Ends with its exit code. */
async function call(...args: readonly string[]): Promise<number | null> {
  const child = spawn(front, ['--root', place.root, ...args], { env, stdio: 'ignore' })
  const [status] = await once(child, 'exit')
  return status
}

/** A config.json of always the same size: one write, or one rename, makes it another. */
function replace(text: string, isRenamed: boolean): void {
  const to = isRenamed ? `${configFile()}.new` : configFile()
  writeFileSync(to, text, { flag: isRenamed ? 'w' : 'r+' })
  if (isRenamed) renameSync(to, configFile())
}

const removeKept = (directory: string): void => {
  for (const name of readdirSync(directory).filter((each) => each.startsWith('.program-')))
    rmSync(join(directory, name))
}

/** Replaces config.json while a call runs: that one is of the old file or the new, and the one after it of the new. */
async function race(texts: readonly [string, string], run: () => Promise<number | null>, forget: () => void) {
  const wrong: string[] = []
  let now = 0
  replace(texts[0], false)
  expect(await run()).toBe(10)
  for (let index = 0; index < races; index++) {
    const isCold = index % 2 === 0
    if (isCold) forget()
    const during = run()
    // A cold call takes some 30 ms, of which it reads the file in one; a kept one takes 3.
    await sleep(Math.random() * (isCold ? 40 : 4))
    now = 1 - now
    replace(texts[now] ?? '', index % 4 < 2)
    const [first, second] = [await during, await run()]
    if ((first !== 10 && first !== 11) || second !== 10 + now) wrong.push(`${index}: ${first}, then ${second}`)
  }
  return wrong
}

test('a container is of the config.json before or after a change, and the next one after', {
  timeout: 600_000,
}, async () => {
  const texts = [10, 11].map((code) => JSON.stringify(place.configure(`exit ${code}`))) as [string, string]
  const wrong = await race(
    texts,
    () => call('run', '-b', place.bundle, place.id),
    () => removeKept(place.root),
  )
  expect(wrong).toEqual([])
})

test('so is a process that exec starts', { timeout: 600_000 }, async () => {
  const texts = [10, 11].map((code) =>
    JSON.stringify(place.configure('sleep 1000', { process: { env: [`CODE=${code}`, 'PATH=/bin'] } })),
  ) as [string, string]
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id]).end).toBe(0)
  const wrong = await race(
    texts,
    () => call('exec', place.id, 'sh', '-c', 'exit $CODE'),
    () => removeKept(join(place.root, place.id)),
  )
  expect(wrong).toEqual([])
})

test('a config.json that is changed through memory, with neither size nor times changed, is compiled anew', async () => {
  const directory = mkdtempSync('/dev/shm/config-')
  try {
    const text = JSON.stringify(place.configure('exit 10'))
    spawnSync('cp', ['-a', place.bundle, join(directory, 'bundle')])
    const bundle = join(directory, 'bundle')
    const at = text.indexOf('exit 10') + 'exit 10'.length - 1
    // A page that has been written once is written again without a fault, and so without a change of times.
    const map = `import mmap; f = open("${bundle}/config.json", "r+b"); m = mmap.mmap(f.fileno(), 0)`
    const writer = spawn('python3', [
      '-c',
      `${map}; m[${at}] = ord("0"); print(flush=True); input(); m[${at}] = ord("1")`,
    ])
    await once(writer.stdout, 'data')
    expect(await call('run', '-b', bundle, place.id)).toBe(10)
    writer.stdin.end('\n')
    await once(writer, 'exit')
    expect(await call('run', '-b', bundle, place.id)).toBe(11)
  } finally {
    rmSync(directory, { recursive: true })
  }
})
