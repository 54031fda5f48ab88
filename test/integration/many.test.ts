import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { cgroupsNamed } from '../cgroup-directories.ts'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox')

const front = join(import.meta.dirname, '../../bin/bundle-tool')
const count = 100

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

/** Calls the front for one container after the other: `words`, with the container's ID in `$id`. @returns its exit status */
function forEach(words: string): number | null {
  const script = `i=0; while [ $i -lt ${count} ]; do id=$1.$i; "$2" --root "$3" ${words} || exit; i=$((i + 1)); done`
  const args = ['-c', script, 'sh', place.id, front, place.root, place.bundle]
  return spawnSync('/bin/sh', args, { stdio: ['ignore', 'ignore', 'inherit'] }).status
}

const states = () => JSON.parse(place.tool(['list', '-f', 'json']).stdout)
const statuses = (): readonly string[] => [...new Set<string>(states().map(({ status }: { status: string }) => status))]

test('a hundred containers are counted, killed and deleted, and nothing is left of them', async () => {
  place.configure('exec sleep 1000')
  expect(forEach('run -d -b "$4" "$id"')).toBe(0)

  const ids = Array.from({ length: count }, (_, index) => `${place.id}.${index}`).sort()
  expect(states().map(({ id }: { id: string }) => id)).toEqual(ids)
  expect(statuses()).toEqual(['running'])
  const usages = JSON.parse(place.tool(['stats', '--no-stream', '--json', '--interval', '1ms']).stdout)
  expect(usages.map(({ id, pids }: { id: string; pids: number }) => [id, pids])).toEqual(ids.map((id) => [id, 1]))

  expect(forEach('kill "$id" KILL')).toBe(0)
  await vi.waitFor(() => expect(statuses()).toEqual(['stopped']), 20_000)
  expect(forEach('delete "$id"')).toBe(0)
  expect(place.leftovers()).toEqual([])
  expect(ids.flatMap((id) => cgroupsNamed(id))).toEqual([])
})
