// A hundred containers, one after the other, from one Node.js program: through the library, or by starting a runtime.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeBundle, runtimes, setting } from './containers.mjs'
import { inTurns } from './measure.mjs'
import { output } from './processes.mjs'

const count = 100
const worker = fileURLToPath(new URL('library-worker.mjs', import.meta.url))

export async function library({ scratch, rounds }) {
  const bundle = await makeBundle(scratch, 'library-bundle', ['/bin/true'])
  const task = (job) => () => Number(output(process.execPath, worker, JSON.stringify({ count, bundle, ...job })))
  const contenders = [
    { name: 'through the library', run: task({ root: join(scratch, 'root-library') }) },
    ...runtimes(scratch).map(({ name, command }) => ({ name: `starting ${name}`, run: task({ command }) })),
  ]
  return [
    {
      title: `${count} containers from one Node.js program (${setting()})`,
      rows: await inTurns(contenders, Math.min(rounds, 3)),
      budgets: [
        { of: 'through the library', against: 'starting crun', ratio: 0.6 },
        { of: 'through the library', against: 'starting runc' },
      ],
    },
  ]
}
