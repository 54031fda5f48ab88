import type { TextOutput } from './io.ts'

/** How much of one layer is there. */
export interface LayerBytes {
  readonly layer: { readonly digest: string; readonly size: number }
  readonly bytes: number
}

export interface Progress {
  readonly update: (progress: LayerBytes) => void
  /** Removes the line. */
  readonly end: () => void
}

const intervalMs = 100
const clearLine = '\r\u001b[K'

/** One line that says how much of the layers is there, on a terminal only. */
export function showProgress(output: TextOutput, now: () => number = Date.now): Progress {
  if (!output.isTTY) return { update: () => {}, end: () => {} }
  const layers = new Map<string, LayerBytes>()
  let shownAt = Number.NEGATIVE_INFINITY
  return {
    update: (progress) => {
      layers.set(progress.layer.digest, progress)
      if (now() - shownAt < intervalMs) return
      shownAt = now()
      output.write(`${clearLine}${describeProgress([...layers.values()])}`)
    },
    end: () => {
      if (shownAt !== Number.NEGATIVE_INFINITY) output.write(clearLine)
    },
  }
}

function describeProgress(layers: readonly LayerBytes[]): string {
  const done = layers.filter(({ layer, bytes }) => bytes === layer.size).length
  const bytes = layers.reduce((sum, progress) => sum + progress.bytes, 0)
  const size = layers.reduce((sum, { layer }) => sum + layer.size, 0)
  return `${done} of ${layers.length} layers, ${megabytes(bytes)} of ${megabytes(size)} MB`
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)
