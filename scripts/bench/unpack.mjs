// From an image layout on this machine to a bundle.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { checkEntries, measuredImage } from './layout.mjs'
import { isInstalled, ours } from './machine.mjs'
import { inTurns } from './measure.mjs'
import { timed, timedShell } from './processes.mjs'

export async function unpack({ scratch, image, rounds }) {
  const { layout, layers, entries, describe } = await measuredImage({ scratch, image })
  const place = join(scratch, 'unpack')
  const bundle = join(place, 'bundle')
  const clear = () => {
    rmSync(place, { recursive: true, force: true })
    mkdirSync(place)
  }
  clear()
  const clearChecked = (name) => () => {
    checkEntries(name, join(bundle, 'rootfs'), entries)
    clear()
  }
  // Neither verifies a digest nor knows what a whiteout is: the least that anyone could do.
  const untar = (name, program) => ({
    name,
    needs: program,
    run: () =>
      timedShell(
        'mkdir "$2"; gunzip=$1 out=$2; shift 2; for layer; do "$gunzip" -dc "$layer" | tar -xp -C "$out"; done',
        [program, bundle, ...layers],
      ),
    after: clear,
  })
  const contenders = [
    {
      name: 'bundle-tool unpack',
      run: () => timed(ours, ['unpack', `oci:${layout}:latest`, '--out', bundle]),
      after: clearChecked('bundle-tool'),
    },
    untar('igzip -dc | tar -x', 'igzip'),
    untar('gzip -dc | tar -x', 'gzip'),
    {
      name: 'umoci unpack',
      needs: 'umoci',
      run: () => timed('umoci', ['unpack', '--image', `${layout}:latest`, bundle]),
      after: clearChecked('umoci'),
    },
  ].filter(({ needs }) => needs === undefined || isInstalled(needs))
  const busy = contenders.slice(0, 2).map(besideAnother)
  return [
    {
      title: `local layout to bundle (${describe})`,
      rows: await inTurns([...contenders, ...busy], rounds),
      budgets: [
        { of: 'bundle-tool unpack', against: 'igzip -dc | tar -x', ratio: 0.85 },
        { of: 'bundle-tool unpack', against: 'gzip -dc | tar -x' },
        { of: 'bundle-tool unpack', against: 'umoci unpack', ratio: 0.22 },
        // It loses no more than the pipe does, which has as many processes that could wait.
        { of: busy[0].name, against: busy[1].name, ratio: 0.85 },
      ],
    },
  ]
}

/** The same beside a process that keeps one CPU busy. */
function besideAnother({ name, run, ...rest }) {
  return {
    ...rest,
    name: `${name}, a CPU busy`,
    run: async () => {
      const busy = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' })
      try {
        return await run()
      } finally {
        busy.kill('SIGKILL')
        await once(busy, 'exit')
      }
    },
  }
}
