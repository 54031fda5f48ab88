// Containers from one Node.js program, through the library or by starting a runtime: one after the other, and many at once.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeBundle, runtimes, setting } from './containers.mjs'
import { inTurns } from './measure.mjs'
import { output } from './processes.mjs'

const count = 100
const atOnce = 200
const waves = 4
const worker = fileURLToPath(new URL('library-worker.mjs', import.meta.url))
const ofLibrary = 'through the library'

export async function library({ scratch, rounds }) {
  const bundle = await makeBundle(scratch, 'library-bundle', ['/bin/true'])
  const ways = [
    { name: ofLibrary, way: { root: join(scratch, 'root-library') } },
    ...runtimes(scratch).map(({ name, command }) => ({ name: `starting ${name}`, way: { command } })),
  ]
  const call = (job) => JSON.parse(output(process.execPath, worker, JSON.stringify({ bundle, ...job })))
  const inARow = ways.map(({ name, way }) => ({
    name,
    run: () => call({ count, atOnce: 1, waves: 1, ...way }).seconds,
  }))
  const memories = ['first', 'last'].map((wave) => ({
    name: `memory after the ${wave} wave`,
    unit: 'bytes',
    values: [],
  }))
  const together = ways.map(({ name, way }) => ({
    name,
    run: () => {
      const { seconds, resident } = call({ count: atOnce, atOnce, waves, ...way })
      if (name === ofLibrary) for (const [index, { values }] of memories.entries()) values.push(resident.at(-index))
      return seconds / waves
    },
  }))
  const few = Math.min(rounds, 3)
  return [
    {
      title: `${count} containers from one Node.js program, one after the other (${setting()})`,
      rows: await inTurns(inARow, few * 2),
      budgets: [
        { of: ofLibrary, against: 'starting crun', ratio: 0.6 },
        { of: ofLibrary, against: 'starting runc' },
      ],
    },
    {
      title: `${atOnce} containers at once from one Node.js program, ${waves} times (${setting()})`,
      rows: [...(await inTurns(together, few)), ...memories],
      budgets: [
        { of: ofLibrary, against: 'starting crun' },
        { of: ofLibrary, against: 'starting runc' },
        { of: memories[1].name, against: memories[0].name, ratio: 1.25 },
      ],
    },
  ]
}
