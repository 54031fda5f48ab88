import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ownerOf } from './owner.ts'

let serial = 0

/** Replaces a file's content so that a crash leaves the old or the new one, never a mixture. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${ownerOf()}.${serial++}`
  const file = await open(temporary, 'wx', 0o644)
  try {
    await file.writeFile(text)
    await file.datasync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  await syncDirectory(dirname(path))
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
