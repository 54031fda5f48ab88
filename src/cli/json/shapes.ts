import type { ErrorDocument } from '../errors.ts'
import { containerShapes } from './container-shapes.ts'
import { imageShapes } from './image-shapes.ts'
import type { CommandShape } from './shape.ts'
import { object, optional, type Shape, text } from './shape.ts'

/** The document that each command prints with `--format json`, by the command's name. */
export const jsonShapes: Readonly<Record<string, CommandShape>> = { ...imageShapes, ...containerShapes }

/** The document of an error on standard error with `--format json`. */
export const errorShape: Shape = object<ErrorDocument>('the error', {
  error: object<ErrorDocument['error']>('the error', {
    code: text('one of the codes below'),
    message: text('what failed, and on what'),
    pointer: optional(text('RFC 6901 pointer to the value of config.json at fault')),
    hint: optional(text('what to do about it')),
    stack: optional(text('with --debug: where in the program it happened, and its causes')),
  }),
})

export const exampleError: ErrorDocument = {
  error: {
    code: 'ERR_BUNDLE_EXISTS',
    message: '/srv/bundle: there is something already',
    hint: 'choose another place, or replace it with --force',
  },
}
