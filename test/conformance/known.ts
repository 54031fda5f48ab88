import type { Observation } from './observe.ts'

interface Difference {
  readonly topic: string
  readonly theirs: RegExp
  /** The replacement; without it the line is left out. */
  readonly ours?: string
  /** The minor versions of runc 1 that differ: from, to; default all. */
  readonly since?: number
  readonly until?: number
  /** The cases that differ: only this one, or all but that. */
  readonly only?: string
  readonly but?: string
}

/**
 * Deliberate differences, which are taken out of the observations under runc: each a rule with its reason, applied to
 * every line of a topic.
 */
const differences: readonly Difference[] = [
  // config.json asks for a read-only /sys/fs/cgroup; runc leaves the tmpfs that holds the cgroup v1 mounts writable.
  { topic: 'mountinfo', theirs: /^(\/ \/sys\/fs\/cgroup) rw,/, ours: '$1 ro,', but: 'writable cgroups' },
  // One read-only tmpfs hides all masked directories, as with runc 1.5; only the mounts of it are read-only.
  {
    topic: 'mountinfo',
    theirs: /^(\/ \S+ ro,relatime.*) - tmpfs tmpfs ro(,size=4k,nr_inodes=1)?(,|$)/,
    ours: '$1 - tmpfs none rw$3',
  },
  // The source of a cgroup v1 mount is a name that nobody reads.
  { topic: 'mountinfo', theirs: /^(\S+ \/sys\/fs\/cgroup\/systemd .*) - cgroup systemd /, ours: '$1 - cgroup cgroup ' },
  // A tmpfs without a mode takes that of the directory it covers, as with runc 1.5.
  { topic: 'mountinfo', theirs: /^(\/ \/data .* - tmpfs tmpfs rw),uid=/, ours: '$1,mode=755,uid=', until: 4 },
  // In a user namespace the message queues belong to its root, and to its group, which runc leaves to nobody.
  { topic: 'dev', theirs: /^(drwxrwxrwt +2 0 +)65534 (.* mqueue)$/, ours: '$10     $2' },
  // A config without capabilities gets none, as under runc before 1.3 and crun; runc 1.5 leaves the process all of its own.
  {
    topic: 'status',
    theirs: /^(Cap(Prm|Eff|Bnd):\t).*/,
    ours: '$10000000000000000',
    since: 2,
    only: 'capabilities left out',
  },
  // A warning about ambient capabilities that are not inheritable, which `runc spec` itself asks for.
  { topic: 'output', theirs: /can't raise ambient capability/ },
]

/** The observations of runc 1.`minor`'s container, as those of bundle-tool's should be. */
export function expected(theirs: Observation, name: string, minor: number): Observation {
  const rules = differences.filter(
    ({ since = 0, until = minor, only = name, but }) =>
      minor >= since && minor <= until && only === name && but !== name,
  )
  const sections = Object.entries(theirs.sections).map(([topic, lines]) => [
    topic,
    rules
      .filter((rule) => rule.topic === topic)
      .reduce((text, rule) => text.flatMap((line) => replaced(line, rule)), lines),
  ])
  return { ...theirs, sections: Object.fromEntries(sections) }
}

function replaced(line: string, { theirs, ours }: Difference): readonly string[] {
  if (ours === undefined) return theirs.test(line) ? [] : [line]
  return [line.replace(theirs, ours)]
}

/** Cases that do not look the same yet, and why. A case that does fails until it is taken off this list. */
export const pending: Readonly<Record<string, string>> = {}
