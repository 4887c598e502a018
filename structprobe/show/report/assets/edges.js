// Boxes that scroll sideways fade at the edge behind which there is more.

function fadeEdges(box) {
  const look = () => {
    const left = Math.abs(box.scrollLeft);
    box.classList.toggle("less", left > 1);
    box.classList.toggle("more", box.scrollWidth - box.clientWidth - left > 1);
  };
  box.addEventListener("scroll", look, { passive: true });
  const sizes = new ResizeObserver(look);
  sizes.observe(box);
  // What is in a box is drawn anew, and may then be wider than the box.
  const follow = () => {
    for (const inner of box.children) sizes.observe(inner);
    look();
  };
  new MutationObserver(follow).observe(box, { childList: true });
  follow();
}

for (const box of document.querySelectorAll(".wide")) fadeEdges(box);
