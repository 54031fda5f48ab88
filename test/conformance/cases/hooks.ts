import { bind, type Cases, config, shell } from './config.ts'

/** A hook that logs its environment, and what of the state is the same each time. */
const hook = (kind: string, rest: object = {}) => {
  const log = kind === 'startContainer' ? '/tmp' : '{laboratory}/log'
  const script = `{ echo "$0 $VALUE $(pwd | sed s,.*/bundle,,)"; tr , '\\n' | grep -E '"(id|status)"|annotation'; }`
  return { path: '/bin/sh', args: ['sh', '-c', `${script} >>${log}/${kind}`], ...rest }
}

const kinds = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststop']
// A process that has ended before the poststart hooks is another story.
const waiting = (change: object) => shell('sleep 0.2', { mounts: [bind('{laboratory}/log', '/tmp')], ...change })
const twice = (...kinds: readonly string[]) =>
  Object.fromEntries(kinds.map((kind) => [kind, [hook(kind), hook(kind, { env: ['VALUE=second'] })]]))

/** `hooks` and `annotations` of config.json, by what the hooks have logged. */
export const hookCases: Cases = {
  'hooks of all kinds but one, in order': {
    config: waiting({ hooks: twice(...kinds), annotations: { 'org.example.name': 'value' } }),
  },
  // runc 1.1 tells these that the container is only created.
  'poststart hooks': { since: 2, config: waiting({ hooks: twice('poststart') }) },
  'a hook that is done in time': {
    config: waiting({ hooks: { createRuntime: [hook('createRuntime', { timeout: 20 })] } }),
  },
  'annotations that nobody knows': { config: config({ annotations: { 'a.b': 'c', empty: '' } }) },
}
