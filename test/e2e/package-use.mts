// Uses that the types of the package allow, and others that they refuse; the file is checked and never run.
import { PassThrough } from 'node:stream'
import {
  type ContainerStatus,
  create,
  type ErrorCode,
  exec,
  type Features,
  features,
  images,
  kill,
  list,
  OciError,
  pull,
  type Resources,
  remove,
  run,
  start,
  state,
  stats,
  stop,
  unpack,
  wait,
} from 'bundle-tool'

const { signal } = new AbortController()
const stdout = new PassThrough()
const id = 'demo'

const { digest }: { digest: string } = await pull('alpine:3.20', { out: 'bundle', signal })
await unpack('alpine.tar', { out: 'bundle', force: true })
const status: number = await run({ id, bundle: 'bundle', stdio: { stdin: 'ignore', stdout, stderr: 2 }, signal })
await create({ id, root: '/run/demo', stdio: { stdin: process.stdin } })
await start({ id })
const code: number = await exec({ id, args: ['true'], stdio: { stdout }, signal })
await kill({ id, signal: 'TERM', wait: true })
const { wasKilled }: { wasKilled: boolean } = await stop({ id, timeoutMs: 500 })
const limits: Resources = { memory: { limit: 2n ** 53n, swap: -1 }, devices: [{ allow: true, type: 'c' }] }
const ended: number = await wait({ id, signal })
await remove({ id, force: true })
const known: Features = await features()
const kinds: readonly ContainerStatus[] = (await list()).map((container) => container.status)
const [first] = await images()
const name: string | undefined = first?.name
for await (const [usage] of stats({ intervalMs: 1000 })) if (usage?.status === 'running') break
await state({ id }).catch((error: unknown) => {
  if (error instanceof OciError && error.code === ('ERR_CONTAINER_NOT_FOUND' satisfies ErrorCode)) return
  throw error
})
console.log(digest, status, code, wasKilled, ended, limits, known.linux.seccomp.archs, kinds, name)

// @ts-expect-error an option that does not exist
await run({ id, stdoi: {} })
// @ts-expect-error one that is missing
await exec({ args: ['true'] })
// @ts-expect-error what only the tool itself calls with
await run({ id, handOver: () => undefined })
// @ts-expect-error a status that there is none of
kinds.includes('asleep')
// @ts-expect-error a limit that is no number
const words: Resources = { memory: { limit: 'much' } }
// @ts-expect-error a limit that the specification does not have
const unknown: Resources = { memory: { limits: 1 } }
console.log(words, unknown)
