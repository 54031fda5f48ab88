import { Readable, Writable } from 'node:stream'
import { fromPlainError, OciError, type PlainError } from '../../errors.ts'
import type { Guard } from '../../host/door.ts'
import type { PreparedTry, PrepareTryOptions } from '../image/prepare-try.ts'
import { runInNamespace, toolInNamespace } from './unshare.ts'

export { hasSubids } from './unshare.ts'

/** The options of `prepareTry` that another process can be told; its environment is the same. */
export type TryRequest = { readonly image: string } & Pick<
  PrepareTryOptions,
  'changes' | 'id' | 'platform' | 'policy' | 'pull' | 'store' | 'insecure' | 'authFile' | 'out' | 'isApart'
> & { readonly credentials?: string | undefined; readonly isQuiet: boolean }

/** The answer of that process. */
export interface TryAnswer {
  readonly prepared?: PreparedTry
  readonly error?: PlainError
}

interface NamespaceOptions {
  readonly name: string
  readonly env: NodeJS.ProcessEnv
  readonly isQuiet: boolean
}

/** Prepares a try in a user namespace with the caller's subordinate ids: the files have their real owners there. */
export async function prepareTryWithSubids(
  image: string,
  { signal, ...options }: PrepareTryOptions,
  how: NamespaceOptions,
): Promise<PreparedTry> {
  const { changes, id, platform, policy, pull, store, insecure, authFile, out, isApart, credentials } = options
  if (typeof credentials === 'function') throw new OciError('ERR_USAGE', 'credentials must be a string here')
  const plain = { changes, id, platform, policy, pull, store, insecure, authFile, out, isApart, credentials }
  const request: TryRequest = { image, ...plain, isQuiet: how.isQuiet }
  const { prepared, error } = parseAnswer(await callInNamespace('prepare-try', JSON.stringify(request), how))
  signal?.throwIfAborted()
  if (error !== undefined) throw fromPlainError(error)
  if (prepared === undefined) throw new Error('the process in the user namespace has given no answer')
  return prepared
}

/** Removes a bundle whose files belong to the caller's subordinate ids. */
export async function removeWithSubids(bundle: string, how: NamespaceOptions): Promise<void> {
  await callInNamespace('remove-try', bundle, how)
}

async function callInNamespace(action: string, input: string, how: NamespaceOptions): Promise<string> {
  const chunks: Buffer[] = []
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk)
      done()
    },
  })
  const stdio = { stdin: Readable.from([input]), stdout }
  await runInNamespace({ ...toolInNamespace(['internal', action], how), stdio })
  return Buffer.concat(chunks).toString()
}

/** Numbers of guards do not fit JSON's. */
export const formatAnswer = (answer: TryAnswer): string =>
  JSON.stringify(answer, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))

function parseAnswer(text: string): TryAnswer {
  const answer: TryAnswer = text === '' ? {} : JSON.parse(text)
  const guards = answer.prepared?.guards?.map((guard) => withNumbers(guard))
  return answer.prepared === undefined ? answer : { prepared: { ...answer.prepared, guards } }
}

const withNumbers = ({ values, ...guard }: Guard): Guard => ({
  ...guard,
  ...(values && { values: values.map((value) => BigInt(String(value).slice(0, -1))) }),
})
