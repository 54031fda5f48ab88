// From a registry to a bundle.
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { checkEntries, measuredImage } from './layout.mjs'
import { isInstalled, ours } from './machine.mjs'
import { inTurns } from './measure.mjs'
import { peakMemory, timed, timedShell } from './processes.mjs'
import { withRegistry } from './registry.mjs'

export async function pull({ scratch, image, rounds, store }) {
  if (!isInstalled('docker-registry') || !isInstalled('skopeo')) {
    return [{ title: 'registry to bundle: not measured, install docker-registry and skopeo', rows: [] }]
  }
  const { layout, entries, describe } = await measuredImage({ scratch, image })
  const place = join(scratch, 'pull')
  const at = (name) => join(place, name)
  const clear = () => {
    rmSync(place, { recursive: true, force: true })
    rmSync(store, { recursive: true, force: true })
    mkdirSync(place)
  }
  clear()

  return withRegistry({ scratch, layout }, async (reference) => {
    const bundle = at('bundle')
    const pullOnce = ['pull', reference, '--out', bundle]
    const keeping = [...pullOnce, '--keep-unpacked']
    const [first, next] = ['bundle-tool pull --keep-unpacked', 'the next bundle of the same image']
    const pullNext = () => {
      timed(ours, keeping)
      rmSync(bundle, { recursive: true })
      return timed(ours, pullOnce)
    }
    const contenders = [
      { name: 'bundle-tool pull', run: () => timed(ours, pullOnce), check: join(bundle, 'rootfs') },
      {
        name: 'skopeo copy + umoci unpack',
        needs: 'umoci',
        run: () =>
          timedShell(
            'skopeo copy -q --src-tls-verify=false "docker://$1" "oci:$2:latest"; umoci unpack --image "$2:latest" "$3"',
            [reference, at('layout'), bundle],
          ),
        check: join(bundle, 'rootfs'),
      },
      ...['overlay', 'vfs'].map((driver) => ({
        name: `podman pull (${driver})`,
        needs: 'podman',
        run: () => timed('podman', podman(driver, at, ['pull', '-q', '--tls-verify=false', reference])),
      })),
      { name: first, run: () => timed(ours, keeping), check: join(bundle, 'rootfs') },
      { name: next, run: pullNext, check: join(bundle, 'rootfs') },
    ].filter(({ needs }) => needs === undefined || isInstalled(needs))

    const after = (contender) => () => {
      if (contender.check) checkEntries(contender.name, contender.check, entries)
      clear()
    }
    const rows = await inTurns(
      contenders.map((contender) => ({ ...contender, after: after(contender) })),
      rounds,
    )
    const peaks = []
    for (let round = 0; round < 3; round++) {
      peaks.push(await peakMemory(ours, pullOnce))
      clear()
    }
    const [mine, skopeo, ...others] = contenders.map(({ name }) => name)
    const podmans = others.filter((name) => name.startsWith('podman'))
    return [
      {
        title: `registry to bundle (${describe})`,
        rows: [...rows, { name: 'bundle-tool pull, peak memory', unit: 'bytes', values: peaks }],
        budgets: [
          { of: mine, against: skopeo, ratio: 0.28 },
          ...podmans.map((name) => ({ of: mine, against: name, ratio: 0.3 })),
          { of: next, against: first, ratio: 0.25 },
          { of: 'bundle-tool pull, peak memory', atMost: 200e6 },
        ],
      },
    ]
  })
}

const podman = (driver, at, args) => [
  ...['--root', at('podman'), '--runroot', at('podman-run'), '--tmpdir', at('podman-tmp')],
  ...['--storage-driver', driver],
  ...args,
]
