import { a } from "a";

// function x() {
export const f = async (b) => `${a({ c: `}${b}` })} (`;

function h(c) {
  if (c) /[/}(]/.test(c) && g(1;
  return <p title="it's {">don't ( {c / 2} <b/></p>;
}
