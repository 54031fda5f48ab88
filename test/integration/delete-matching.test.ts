import { afterEach, beforeEach, expect } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(async () => {
  place.tool(['delete', '--force', '--regex', ''])
  await place.close()
})

const create = (...names: readonly string[]) => {
  place.configure('exec sleep 1000')
  for (const name of names) {
    expect(place.tool(['create', '-b', place.bundle, `${place.id}-${name}`])).toMatchObject({ end: 0, stderr: '' })
  }
}
const left = (): readonly string[] =>
  place
    .tool(['list', '-q'])
    .stdout.split('\n')
    .filter(Boolean)
    .map((id) => id.slice(place.id.length + 1))
const remove = (...flags: readonly string[]) => place.tool(['delete', ...flags])

test('--regex deletes each container whose ID matches, by an extended regular expression', () => {
  create('one', 'two', 'three', 't-4')
  expect(remove('--regex', '(one|x)$')).toEqual({ end: 0, stdout: '', stderr: '' })
  expect(left()).toEqual(['t-4', 'three', 'two'])
  expect(remove('-r', 't-?[[:digit:]]+$')).toMatchObject({ end: 0, stderr: '' })
  expect(left()).toEqual(['three', 'two'])
  expect(remove('--regex', 'none')).toEqual({ end: 0, stdout: '', stderr: '' })
  expect(remove('--regex', '(')).toMatchObject({
    end: 1,
    stderr: expect.stringContaining('invalid regular expression'),
  })
  expect(left()).toEqual(['three', 'two'])
})

test('--regex: one that runs is a warning, and the others go; by force all do', () => {
  create('one', 'runs', 'two')
  expect(place.tool(['start', `${place.id}-runs`])).toMatchObject({ end: 0 })
  const { end, stderr } = remove('--regex', `^${place.id}`)
  expect({ end, stderr }).toEqual({
    end: 0,
    stderr: expect.stringMatching(/level=warning .*-runs that is not stopped/),
  })
  expect(left()).toEqual(['runs'])
  expect(remove('--force', '--regex', `^${place.id}`)).toMatchObject({ end: 0, stderr: '' })
  expect(left()).toEqual([])
})
