package workerpool

const Longer = longer
