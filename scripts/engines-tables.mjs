// The text of the tables of docs/engines.md.

/** Names of hosts, in the order of their columns. */
const hostNames = ['v1', 'hybrid', 'v2', 'systemd']

/** One table for each engine: its rows, with a column for each host that they were run on. */
export function rowsTables(results) {
  const hosts = hostNames.filter((name) => results.some(({ host }) => host === name))
  return unique(results.map(({ engine }) => engine))
    .map((engine) =>
      engineTable(
        engine,
        results.filter((result) => result.engine === engine),
        hosts,
      ),
    )
    .join('\n')
}

function engineTable(engine, results, hosts) {
  const of = (what, host) => results.find((result) => result.what === what && result.host === host)
  return table(
    [engine, ...hosts, results.some(({ like }) => like.crun) ? 'crun' : 'crun (not installed)'],
    unique(results.map(({ what }) => what)).map((what) => {
      const withCrun = results.find((result) => result.what === what && result.like.crun !== undefined)
      return [
        what.replaceAll('|', '\\|'),
        ...hosts.map((host) => verdict(of(what, host))),
        likeness(withCrun?.like.crun),
      ]
    }),
  )
}

/** True for a row that passes: with the answer of runc, or with its own where runc has another one. */
function verdict(result) {
  if (result === undefined) return ''
  if (!result.passes) return '**no**'
  const { runc } = result.like
  return runc === undefined || runc === 'same' ? 'yes' : `yes; runc ${likeness(runc)}`
}

/** How the answer of another runtime differs from ours. */
function likeness(like) {
  return { same: 'yes', words: 'in other words', other: 'differs', fails: 'fails' }[like] ?? ''
}

/** The engines' own `run --rm IMAGE true`. */
export function startsTable(results) {
  const rows = results.filter(({ what, ms, host }) => what === 'run --rm IMAGE true' && host !== 'systemd' && ms.runc)
  return table(
    ['`run --rm IMAGE true`, ms', 'host', 'bundle-tool', 'runc', 'ratio', 'crun', 'ratio'],
    rows.map(({ engine, host, ms }) => [
      engine,
      host,
      `${ms['bundle-tool']}`,
      ...['runc', 'crun'].flatMap((name) =>
        ms[name] ? [`${ms[name]}`, ratio(ms['bundle-tool'], ms[name])] : ['', ''],
      ),
    ]),
    2,
  )
}

/** The calls of an engine to the runtime. @param measured for each host, what bench/engine-calls.mjs prints */
export function callsTable(measured) {
  return measured
    .map(({ host, calls, versions }) => {
      const others = Object.keys(versions).filter((name) => calls[0].of[name] !== undefined)
      return table(
        [`call, ms (CPU), ${host}`, 'bundle-tool', ...others.flatMap((name) => [`${name} ${versions[name]}`, 'ratio'])],
        calls.map(({ command, of: { 'bundle-tool': own, ...rest } }) => [
          command,
          shown(own),
          ...others.flatMap((name) => [shown(rest[name]), ratio(own.wall, rest[name].wall)]),
        ]),
        1,
      )
    })
    .join('\n')
}

const shown = ({ wall, cpu }) => `${wall.toFixed(1)} (${cpu.toFixed(1)})`
const ratio = (own, other) => (own / other).toFixed(2)
const unique = (values) => [...new Set(values)]

/** A table whose columns after the first `left` ones, where it is given, are numbers. */
function table(heads, rows, left = heads.length) {
  const lines = [heads, heads.map((_, index) => (index < left ? '---' : '---:')), ...rows]
  return `${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`
}
