/** The files of test/integration that a user without root passes whole, by their names. */
export const userTests = ['terminal', 'library', 'ps', 'copy', 'repack', 'image-text', 'store', 'seccomp'].map(
  (name) => `test/integration/${name}.test.ts`,
)
