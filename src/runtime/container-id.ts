import { OciError } from '../errors.ts'

declare const brand: unique symbol

/** A container ID that `parseContainerID` has checked: safe as the name of a directory, a cgroup and a program. */
export type ContainerID = string & { readonly [brand]: 'ContainerID' }

/**
 * Checks that `text` is a container ID.
 *
 * runc's rule: letters, digits, `_`, `+`, `-` and `.`, but not `.` or `..`. Since it names a directory, it is at most
 * 255 characters long (NAME_MAX).
 * @throws OciError `ERR_CONTAINER_ID_INVALID`
 */
export function parseContainerID(text: string): ContainerID {
  if (!isContainerID(text)) {
    throw new OciError('ERR_CONTAINER_ID_INVALID', `invalid container ID format: "${text}"`, {
      hint: `use 1 to 255 letters, digits and the characters _ + - .${/^[\w.][^\s]*[:/]/.test(text) ? adviceForImage(text) : ''}`,
    })
  }
  return text
}

const adviceForImage = (text: string): string =>
  `; if it is an image, make a bundle with "bundle-tool pull ${text} --out bundle" and name that with "-b bundle"`

/** True when `text` is a container ID; a state root also has other directories, which are not containers. */
export const isContainerID = (text: string): text is ContainerID =>
  /^[A-Za-z0-9_+.-]{1,255}$/.test(text) && text !== '.' && text !== '..'
