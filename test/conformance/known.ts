import type { Observation } from './observe.ts'

/**
 * What runc 1.1.5 does and bundle-tool deliberately does not, taken out of what was seen under runc: each a rule with
 * its reason, applied to every line of a topic.
 */
const differences: readonly (readonly [topic: string, theirs: RegExp, ours: string])[] = [
  // config.json asks for a read-only /sys/fs/cgroup; runc leaves the tmpfs that holds the cgroup v1 mounts writable.
  ['mountinfo', /^(\/ \/sys\/fs\/cgroup) rw,/, '$1 ro,'],
  // One read-only tmpfs hides all masked directories, as with runc 1.5; only the mounts of it are read-only.
  ['mountinfo', /^(\/ \S+ ro,relatime.*) - tmpfs tmpfs ro(,|$)/, '$1 - tmpfs none rw$2'],
  // The source of a cgroup v1 mount is a name that nobody reads.
  ['mountinfo', /^(\/ \/sys\/fs\/cgroup\/systemd .*) - cgroup systemd /, '$1 - cgroup cgroup '],
  // A tmpfs without a mode takes that of the directory it covers, as with runc 1.5.
  ['mountinfo', /^(\/ \/data .* - tmpfs tmpfs rw),uid=/, '$1,mode=755,uid='],
  // In a user namespace the message queues belong to its root, and to its group, which runc leaves to nobody.
  ['dev', /^(drwxrwxrwt +2 0 +)65534 (.* mqueue)$/, '$10     $2'],
]

/** What runc's container saw, as bundle-tool's should see it. */
export function expected(theirs: Observation): Observation {
  const sections = Object.entries(theirs.sections).map(([topic, lines]) => [
    topic,
    differences
      .filter((difference) => difference[0] === topic)
      .reduce((text, [, pattern, replacement]) => text.map((line) => line.replace(pattern, replacement)), lines),
  ])
  return { ...theirs, sections: Object.fromEntries(sections) }
}

/** Cases that do not look the same yet, and why. A case that does fails until it is taken off this list. */
export const pending: Readonly<Record<string, string>> = {}
