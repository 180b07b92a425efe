/** Svelte's state, which its compiler makes of the rune. */
export function keep(held) {
  const state = $state(held);
  return state;
}
