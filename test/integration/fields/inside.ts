import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { type ConfigChange, ContainerPlace, type Finished } from '../../container.ts'
import { withControllingTerminal } from '../../controlling-terminal.ts'

export interface Inside {
  readonly place: ContainerPlace
  /** The output of a script in a container of this config, which must end well. */
  readonly see: (script: string, change?: ConfigChange, ...flags: readonly string[]) => string
  /** The same for a container that has a terminal. */
  readonly seeOnTerminal: (script: string, change: ConfigChange) => string
  /** The error for a config that is refused. */
  readonly refusal: (change: ConfigChange) => string
}

/** A place for all containers of a test file, which nothing may be left of after each test. */
export function openPlace(): () => Inside {
  let place: ContainerPlace
  beforeAll(() => {
    place = new ContainerPlace()
  })
  afterAll(() => place.close())
  afterEach(() => {
    const left = place.leftovers()
    for (const id of place.states()) place.tool(['delete', '-f', id])
    expect(left).toEqual([])
  })
  return () => {
    const run = (script: string, change: ConfigChange = {}, flags: readonly string[] = []): Finished =>
      place.run(script, change, ...flags)
    return {
      place,
      see: (script, change, ...flags) => outputOf(run(script, change, flags)),
      seeOnTerminal: (script, change) => {
        place.configure(script, change)
        return outputOf(place.tool(['run', '-b', place.bundle, place.id], { under: withControllingTerminal }))
      },
      refusal: (change) => {
        const { end, stdout, stderr } = run('echo ran', change)
        expect({ end, stdout }).toEqual({ end: 1, stdout: '' })
        return stderr
      },
    }
  }
}

function outputOf({ end, stdout, stderr }: Finished): string {
  expect({ end, stderr }).toEqual({ end: 0, stderr: '' })
  return stdout
}
