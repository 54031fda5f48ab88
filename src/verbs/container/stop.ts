import { constants } from 'node:os'
import { OciError } from '../../errors.ts'
import { thaw } from '../../runtime/cgroup/cgroup.ts'
import { hasEnded } from '../../runtime/proc.ts'
import { parseSignal } from '../../runtime/signal.ts'
import { type ContainerRecord, readContainer, readStatus } from '../../runtime/state-file.ts'
import { absoluteRoot } from '../../state-root.ts'
import { isBeingCreated, signalContainer } from './kill.ts'
import type { ContainerOptions } from './state.ts'

export interface StopOptions extends ContainerOptions {
  /** How long the container may take to end before it is killed; default: 10 seconds. */
  readonly timeoutMs?: number | undefined
}

export interface StopResult {
  /** False for a container that has ended by itself: before, or when it got its stop signal. */
  readonly wasKilled: boolean
}

const defaultTimeoutMs = 10_000
const killTimeoutMs = 10_000

/** The annotation that image-spec's conversion.md makes of the image's StopSignal. */
const stopSignalAnnotation = 'org.opencontainers.image.stopSignal'

/**
 * Ends a container: sends the stop signal of its image, or SIGTERM, and SIGKILL where that is of no effect in time.
 *
 * A paused container is resumed to get its signal, one that was never started is killed, and one that has stopped is left as
 * it is. The container stays, stopped.
 * @throws OciError `ERR_CONTAINER_NOT_FOUND`; `ERR_CONTAINER_STATUS` it is being created, or goes on ten seconds after SIGKILL;
 *   `ERR_CONFIG_INVALID` its stop signal does not exist
 */
export async function stop({ root, id, timeoutMs = defaultTimeoutMs }: StopOptions): Promise<StopResult> {
  const container = readContainer(absoluteRoot(root), id)
  const status = await readStatus(container)
  if (status === 'stopped') return { wasKilled: false }
  if (status === 'creating') throw isBeingCreated(id)
  if (status !== 'created') {
    const isThere = signalContainer(container, stopSignalOf(container))
    thaw(container.cgroupPaths)
    if (!isThere || (await hasEnded(container.init, { withinMs: timeoutMs }))) return { wasKilled: false }
  }
  signalContainer(container, constants.signals.SIGKILL)
  if (await hasEnded(container.init, { withinMs: killTimeoutMs })) return { wasKilled: true }
  throw new OciError('ERR_CONTAINER_STATUS', `container "${id}" goes on after SIGKILL`, {
    hint: 'its process waits in the kernel, perhaps for a disk or a network file system',
  })
}

function stopSignalOf({ annotations }: ContainerRecord): number {
  const text = annotations[stopSignalAnnotation] || 'SIGTERM'
  try {
    return parseSignal(text)
  } catch (cause) {
    if (!(cause instanceof OciError)) throw cause
    throw new OciError('ERR_CONFIG_INVALID', `the annotation ${stopSignalAnnotation} is no signal: "${text}"`, {
      pointer: `/annotations/${stopSignalAnnotation}`,
      hint: 'send one with "bundle-tool kill"',
      cause,
    })
  }
}
