unequal.draw();
