// The commands that no engine waits for at each container, and those that fail: with the peers, in turns, from a shell.
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { makeBundle, runtimes, setting } from './containers.mjs'
import { inTurns } from './measure.mjs'
import { output, timedShell } from './processes.mjs'

const repetitions = 10
const many = 100

/** In the words, `LIVE` is a container that runs, `ENDED` one that has ended, and `{n}` 0, 1 ... */
const commands = [
  { title: '--version', words: ['--version'] },
  { title: '--help', words: ['--help'] },
  { title: 'run --help', words: ['run', '--help'] },
  { title: 'features', words: ['features'] },
  { title: 'spec', words: ['spec', '-b', 'SPEC{n}'], before: emptyBundles },
  { title: 'list of two', words: ['list'] },
  { title: `list of ${many}`, words: ['list'], root: 'many' },
  { title: 'ps', words: ['ps', '--format', 'json', 'LIVE'] },
  { title: 'events --stats', words: ['events', '--stats', 'LIVE'] },
  { title: 'update', words: ['update', '--pids-limit', '100', 'LIVE'] },
  { title: 'pause, resume', words: ['pause', 'LIVE'], and: ['resume', 'LIVE'] },
  { title: 'kill of a stopped container', words: ['kill', 'ENDED', 'KILL'], status: 1 },
  { title: 'kill of none', words: ['kill', 'nothing', 'KILL'], status: 1 },
  { title: 'delete of none', words: ['delete', 'nothing'], status: 1 },
]

export async function otherCommands({ scratch, rounds }) {
  const all = runtimes(scratch).map((one) => ({
    ...one,
    scratch,
    live: `${one.name}-live`,
    ended: `${one.name}-ended`,
  }))
  const lasting = await makeBundle(scratch, 'lasting-bundle', ['/bin/sleep', '1000'])
  const brief = await makeBundle(scratch, 'brief-bundle', ['/bin/true'])
  try {
    for (const one of all) begin(one, lasting, brief)
    const results = []
    for (const command of commands) results.push(await compare(command, all, rounds))
    return results.filter(({ rows }) => rows.length > 1)
  } finally {
    for (const one of all) end(one)
  }
}

function begin(one, lasting, brief) {
  call(one, ['run', '-d', '-b', lasting, one.live])
  call(one, ['create', '-b', brief, one.ended])
  call(one, ['start', one.ended])
  const [program, ...flags] = one.command
  while (JSON.parse(output(program, ...flags, 'state', one.ended)).status !== 'stopped');
  for (let n = 0; n < many; n++) call(one, ['run', '-d', '-b', lasting, `${one.name}-${n}`], 'many')
}

function end(one) {
  const [program, ...flags] = one.command
  for (const id of [one.live, one.ended]) spawnSync(program, [...flags, 'delete', '-f', id], { stdio: 'ignore' })
  const [other, ...more] = inRoot(one, 'many')
  for (let n = 0; n < many; n++) spawnSync(other, [...more, 'delete', '-f', `${one.name}-${n}`], { stdio: 'ignore' })
}

async function compare({ title, words, and, status = 0, root, before }, all, rounds) {
  const loop = (one) => {
    const lines = [words, and].filter(Boolean).map((line) => shellLine(one, line, root))
    return `i=0; while [ $i -lt ${repetitions} ]; do ${lines.map((line) => `${line} || [ $? = ${status} ]`).join('; ')}; i=$((i + 1)); done`
  }
  const able = all.filter((one) => {
    before?.(one)
    return spawnSync('/bin/sh', ['-e', '-c', loop(one)], { stdio: 'ignore' }).status === 0
  })
  const contenders = able.map((one) => ({
    name: `${one.name} ${title}`,
    run: () => {
      before?.(one)
      return timedShell(loop(one)) / repetitions
    },
  }))
  const [ours, ...peers] = able.map(({ name }) => `${name} ${title}`)
  return {
    title: `${title} (${setting()})`,
    rows: await inTurns(contenders, rounds),
    budgets: peers.map((against) => ({ of: ours, against, ...(against.startsWith('runc') ? { ratio: 1 } : {}) })),
  }
}

const shellLine = (one, words, root) =>
  [...inRoot(one, root), ...words.map((word) => placed(one, word))].map((word) => `"${word}"`).join(' ')

const placed = ({ live, ended, scratch, name }, word) =>
  word
    .replace('LIVE', live)
    .replace('ENDED', ended)
    .replace('SPEC', join(scratch, `spec-${name}-`))
    .replace('{n}', '$i')

/** The words of a runtime, with a second root of its own. */
const inRoot = ({ command }, root) =>
  root === undefined ? command : [...command.slice(0, -1), `${command.at(-1)}-${root}`]

const call = (one, words, root) => timedShell('"$@"', [...inRoot(one, root), ...words])

function emptyBundles({ scratch, name }) {
  for (let n = 0; n < repetitions; n++) {
    const bundle = join(scratch, `spec-${name}-${n}`)
    rmSync(bundle, { recursive: true, force: true })
    mkdirSync(bundle)
  }
}
