// A report as a list of blocks, before it becomes HTML or Markdown.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "report/report.hpp"

namespace equinorm::report {

struct Heading {
  int level = 2;
  std::string text;
};

struct Paragraph {
  std::string text;
};

/// Cells are plain text. A column is right-aligned where all of its cells look like numbers.
struct Table {
  std::string caption;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  bool folded = false;  ///< HTML shows it closed: the data behind a figure, or a long list
};

/// A figure: the gnuplot program that draws it (terminal and output aside), and the data as a table for where nothing can draw.
struct Figure {
  std::string name;  ///< of its file: letters, digits and hyphens
  std::string caption;
  std::string program;
  int width = 900, height = 420;
  Table data;
};

using Block = std::variant<Heading, Paragraph, Table, Figure>;

struct Document {
  std::string title;
  std::vector<Block> blocks;
};

/// The whole report as blocks.
Document make_document(const Report& report);

// Its sections, in order.
void add_summary(const Report& report, Document& document);
void add_exact_checks(const Report& report, Document& document);
void add_stage_errors(const Report& report, Document& document);
void add_histograms(const Report& report, Document& document);
void add_growth(const Report& report, Document& document);
void add_storage(const Report& report, Document& document);
void add_logit_control(const Report& report, Document& document);
void add_sensitivity(const Report& report, Document& document);
void add_rules(const Report& report, Document& document);
void add_tables(const Report& report, Document& document);
void add_verdicts(const Report& report, Document& document);
/// Where the report has bounds: the theorems behind each, and what is not machine-checked.
void add_bound_proofs(const Report& report, Document& document);

// Pieces that sections share.
Table cache_table(const std::vector<CacheRow>& rows);
/// "stages-3-mla-cosine": figures of different cases never share a name.
std::string figure_name(const char* kind, std::size_t index, const CaseReport& one);

}  // namespace equinorm::report
