// `try` of an image in a file, the first time and later ones, beside `podman run --rm` of the same image.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { isInstalled, ours } from './machine.mjs'
import { inTurns } from './measure.mjs'
import { output, timed } from './processes.mjs'

const fixture = resolve('fixtures/busybox.tar')
const later = 'bundle-tool try, later'

/** @param image the archive of an image that has /bin/true; default: the fixture's busybox */
export async function tryOf({ scratch, image, rounds }) {
  const archive = image !== undefined && existsSync(image) && image.endsWith('.tar') ? image : fixture
  const place = join(scratch, 'try')
  mkdirSync(place)
  const [store, first] = [join(place, 'store'), join(place, 'first')]
  const tryIn = (directory, network) => () =>
    timed(ours, [
      ...['--root', join(place, 'root'), 'try', '-q', '--store', directory],
      ...(network === undefined ? [] : ['--network', network]),
      ...[archive, '/bin/true'],
    ])
  const contenders = [
    {
      name: 'bundle-tool try, the first time',
      run: tryIn(first),
      after: () => rmSync(first, { recursive: true, force: true }),
    },
    { name: later, run: tryIn(store) },
    { name: `${later}, --network host`, run: tryIn(store, 'host') },
    ...podmans(place, archive),
  ]
  const peers = contenders.slice(3).map(({ name }) => name)
  return [
    {
      title: 'an image in a file, run in one step',
      rows: await inTurns(contenders, rounds * 2),
      budgets: peers.slice(0, 1).map((name) => ({ of: later, against: name, ratio: 0.15 })),
    },
  ]
}

/** podman with the image in its store: in a network of the container's own, which is its default, and in the host's. */
function podmans(place, archive) {
  if (!isInstalled('podman')) return []
  const conf = join(place, 'containers.conf')
  writeFileSync(
    conf,
    '[containers]\ndefault_ulimits = []\n[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n',
  )
  const options = ['--root', join(place, 'graph'), '--runroot', join(place, 'run'), '--tmpdir', join(place, 'tmp')]
  const environment = { ...process.env, CONTAINERS_CONF: conf }
  const call = (words) => ['env', [`CONTAINERS_CONF=${conf}`, 'podman', ...options, ...words]]
  const [command, words] = call(['pull', '-q', `${archive === fixture ? 'oci' : 'docker'}-archive:${archive}`])
  const id = output(command, ...words)
    .trim()
    .split('\n')
    .at(-1)
  const run = (name, flags) => ({
    name,
    run: () => timed('podman', [...options, 'run', '--rm', ...flags, id, '/bin/true'], { env: environment }),
  })
  return [run('podman run --rm', []), run('podman run --rm --network host', ['--network', 'host'])]
}
