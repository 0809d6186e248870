/* A right kernel of one stage, u = p c, and its declaration: what each misbehaving kernel here does beside its fault. */
#ifndef EQUINORM_TESTS_HONEST_H
#define EQUINORM_TESTS_HONEST_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/kernel.h"

#ifndef DECLARED_VERSION
#define DECLARED_VERSION "1"
#endif
#ifndef DECLARED_LAYOUT
#define DECLARED_LAYOUT ""
#endif
#ifndef DECLARED_OUTPUT_LAYOUT
#define DECLARED_OUTPUT_LAYOUT ""
#endif

#define HONEST_DECLARATION                                                                                             \
  "{\"equinorm\": " DECLARED_VERSION ", \"name\": \"u = p c\", \"path\": \"absorbed\", \"stages\": [\"value\"], "      \
  "\"inputs\": {\"p\": {\"dtype\": \"fp32\"}, \"c\": {\"dtype\": \"fp32\"" DECLARED_LAYOUT "}}, "                      \
  "\"outputs\": {\"u\": {\"dtype\": \"fp32\"" DECLARED_OUTPUT_LAYOUT "}}, \"precision\": {\"storage\": \"fp32\"}}"

static inline const equinorm_tensor* tensor_named(const equinorm_tensor* tensors, int32_t count, const char* name) {
  for (int32_t i = 0; i < count; ++i) {
    if (strcmp(tensors[i].name, name) == 0) return &tensors[i];
  }
  return NULL;
}

static inline const equinorm_tensor* input_named(const equinorm_call* call, const char* name) {
  return tensor_named(call->inputs, call->input_count, name);
}

static inline float* output_data(const equinorm_call* call) { return (float*)call->outputs[0].data; }

static inline int64_t output_size(const equinorm_call* call) {
  return call->problem->batch * call->problem->queries * call->problem->heads * call->problem->latent;
}

/* Element [b,t,j] of c, contiguous, strided or paged. */
static inline float latent_at(const equinorm_tensor* c, int64_t b, int64_t t, int64_t j) {
  const float* data = (const float*)c->data;
  if (c->block_table == NULL) return data[b * c->strides[0] + t * c->strides[1] + j * c->strides[2]];
  const int64_t page = c->block_table[b * c->blocks_per_row + t / c->page_size];
  return data[page * c->page_stride + t % c->page_size * c->strides[1] + j * c->strides[2]];
}

/* u[b,s,h,j] = sum_t p[b,h,s,t] c[b,t,j], for the first `rows` of the B S H rows. */
static inline int32_t honest_rows(const equinorm_call* call, int64_t rows) {
  const equinorm_problem* problem = call->problem;
  const equinorm_tensor *p = input_named(call, "p"), *c = input_named(call, "c"), *u = &call->outputs[0];
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t b = row / (problem->queries * problem->heads), s = row / problem->heads % problem->queries, h = row % problem->heads;
    const float* weights = (const float*)p->data + b * p->strides[0] + h * p->strides[1] + s * p->strides[2];
    for (int64_t j = 0; j < problem->latent; ++j) {
      float sum = 0;
      for (int64_t t = 0; t < problem->context_lengths[b]; ++t) sum += weights[t * p->strides[3]] * latent_at(c, b, t, j);
      ((float*)u->data)[b * u->strides[0] + s * u->strides[1] + h * u->strides[2] + j * u->strides[3]] = sum;
    }
  }
  return EQUINORM_OK;
}

static inline int32_t honest(const equinorm_call* call) {
  return honest_rows(call, call->problem->batch * call->problem->queries * call->problem->heads);
}

#ifndef OWN_DESCRIBE
EQUINORM_EXPORT const char* equinorm_kernel_describe(void) { return HONEST_DECLARATION; }
#endif

#endif
